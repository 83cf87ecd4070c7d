"""llama.cpp as a contestant. Runs where llama-cpp-python is installed.

    python bench/peer_llamacpp_speed.py        (started by ``turns.py``)

Imports nothing of minengine. Options of a job: ``flash``, flash attention; ``repack``, may it copy
weights into an order of its own (``use_extra_bufts``). Batches are filled before the clock runs;
what is timed is ``llama_decode`` alone. F16 cache, a cache of its own for each sequence, windows
kept as short as the model's. Both numbers of threads are set: the library's defaults differ.
"""

from __future__ import annotations

import ctypes
import functools
import re

import llama_cpp
from contestant import WARM, Job, serve

F16 = 1  # ggml type id of the cache
PASS = 512  # tokens computed at once, both as asked and as cut by llama.cpp


@llama_cpp.llama_log_callback
def silent(level, text, data) -> None:
    pass


@functools.lru_cache(maxsize=2)
def model_of(file: str, repack: bool):
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers, params.use_extra_bufts = 0, repack
    model = llama_cpp.llama_model_load_from_file(file.encode(), params)
    if not model:
        raise ValueError(f"{file}: llama.cpp does not load it")
    return model


class Passes:
    """A job of llama.cpp's: see ``contestant.Run``."""

    def __init__(self, job: Job) -> None:
        self.job, model = job, model_of(job.file, job.options["repack"])
        params = llama_cpp.llama_context_default_params()
        # each sequence gets n_ctx / n_seq_max, rounded up to 256 as llama.cpp wants it
        params.n_ctx = -(-job.length // 256) * 256 * job.n_sequences
        params.n_batch = params.n_ubatch = PASS
        params.n_seq_max = job.n_sequences
        params.n_threads = params.n_threads_batch = job.threads
        params.type_k = params.type_v = F16
        params.flash_attn_type = int(job.options["flash"])
        params.swa_full, params.kv_unified, params.offload_kqv = False, False, False
        self.context = llama_cpp.llama_init_from_model(model, params)
        if not self.context:
            raise ValueError(f"{job}: llama.cpp makes no context")
        self.memory = llama_cpp.llama_get_memory(self.context)
        vocab = llama_cpp.llama_model_get_vocab(model)
        self.ids = job.tokens(llama_cpp.llama_vocab_n_tokens(vocab))
        d, n = job.depth, job.n_tokens
        self.steps = [self.filled(d + i * n, n) for i in range(job.n_steps)]
        self.warming = [self.filled(d + i * job.n_warm, job.n_warm) for i in range(WARM)]
        for sequence in range(job.n_sequences):
            for first in range(0, d, PASS):
                batch = self.filled(first, min(PASS, d - first), [sequence])
                self.decode(batch)
                llama_cpp.llama_batch_free(batch)

    def filled(self, first: int, n: int, sequences=None) -> llama_cpp.llama_batch:
        """Tokens first .. first + n - 1 of sequences, all of them unless given; logits of the last
        of each.
        """
        sequences = range(self.job.n_sequences) if sequences is None else sequences
        batch = llama_cpp.llama_batch_init(n * len(sequences), 0, 1)
        batch.n_tokens, at = n * len(sequences), 0
        for s in sequences:
            for position in range(first, first + n):
                batch.token[at], batch.pos[at] = self.ids[s][position], position
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, s
                batch.logits[at] = position == first + n - 1
                at += 1
        return batch

    def decode(self, batch: llama_cpp.llama_batch) -> None:
        code = llama_cpp.llama_decode(self.context, batch)
        if code:
            raise ValueError(f"llama_decode of {batch.n_tokens} tokens returned {code}, want 0")
        llama_cpp.llama_synchronize(self.context)

    def cut(self) -> None:
        if not self.job.depth:
            llama_cpp.llama_memory_clear(self.memory, False)
            return
        for s in range(self.job.n_sequences):
            if not llama_cpp.llama_memory_seq_rm(self.memory, s, self.job.depth, -1):
                raise ValueError(f"llama.cpp does not forget tokens after {self.job.depth}")

    def warm(self, i: int) -> None:
        self.decode(self.warming[i])

    def step(self, i: int) -> None:
        self.decode(self.steps[i])

    def close(self) -> None:
        for batch in (*self.steps, *self.warming):
            llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(self.context)


if __name__ == "__main__":
    llama_cpp.llama_log_set(silent, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    said = llama_cpp.llama_print_system_info().decode()
    has = re.findall(r"(\w+) = 1", said)
    serve(Passes, {}, {"llama_cpp": llama_cpp.__version__, "llama_cpp_has": " ".join(has)})
