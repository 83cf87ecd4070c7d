"""A GGUF inference engine small enough to read in a weekend.

    from minengine import Engine
    for piece in Engine().generate("ROMEO:", max_tokens=100, seed=1):
        print(piece, end="", flush=True)

Reading order. What everything means, then from the bytes of a file to the text of an answer:

     1  errors.py       what can go wrong, as a tree
     2  oracle.py       each operation in plain NumPy float64: the meaning of all that follows
                        (oracle_formats.py: the weight formats; oracle_models.py: whole networks)
     3  gguf.py         the file: header, metadata, tensor directory; mapped, nothing copied
     4  formats.pyx     weight formats: dequantize, quantize, dot (layouts in blocks.pxd, the order
                        of sums in sums.pxd, threads in threads.pxd; kquants.pyx, codebooks.pyx)
     5  ops.pyx         embed, matmul, rms_norm, rope, gate, add, softmax
                        (integer.pyx: the product of fast mode, on the codes of codes.pyx;
                        strips.pyx: the same bits in the processor's instructions, of simd/)
     6  attention.pyx   keys and values into the cache, attention over its blocks
                        (spans.pyx: its arithmetic, with exponential.pxd)
     7  kvcache.py      the pool of blocks: who holds which, sharing, copy-on-write, prefixes
                        (eviction.py: which goes first); cells.py: the stored tokens of a sequence
     8  arch.py         what is special about a family of models, one row each
     9  hparams.py      the numbers of a model; model.py binds its tensors, every shape checked
                        (repacking.py: a copy of them for speed)
    10  graph.pyx       one forward pass: prefill, decode, one sequence or many
    11  tokenizer.py    text to ids and back (spm.py; bpe.py with pretokenizers.py)
    12  sampling.py     logits to an id (candidates.py, penalties.py, draws.py)
                        grammar.py: which ids keep within a grammar (its notation: gbnf.py;
                        json_schema.py: grammars of JSON)
    13  sequence.py     the tokens of a request; scheduler.py: which run next
    14  engine.py       all of it behind a few calls (memory.py: forks, rewinding, llama.cpp's
                        operations; state.py: a sequence in a file; speculation.py: guesses ahead;
                        workload.py: many users; reading.py: whole texts, nothing sampled)
    15  perplexity.py   how well a model predicts a text (divergence.py: two models on one text;
                        distributions.py: one of them from a file)
    16  embeddings.py   texts as vectors
    17  chat.py         a conversation to ids (render.py, families.py); stops.py ends an answer
    18  server/         many requests on one engine, over HTTP
    19  selftest.py     every part held against the oracle, with the errors in numbers
    20  gguf_writer.py, requantize.py, random_model.py   files made and made again
    21  cli/            the command line

Shape letters, the same in every file:

    T  tokens in the batch        H  query heads             V  vocabulary
    S  context length             G  key/value heads         B  tokens per block of the cache
    D  model width                E  width of a head         L  layers
    F  feed-forward width
"""

import os

# OpenMP's threads wait for each other by spinning, and where the processors are shared that stops
# them all: with another program on both of two processors a prompt of 512 tokens took 1.0 s with
# GCC's 300,000 turns and 0.7 s sleeping at once. But waking takes 0.07 ms, and a step of a small
# model has a hundred loops: alone on two processors it took 16 ms so, and 9 ms where threads spin
# for half of that time first. Read when the first compiled unit is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from minengine.engine import Engine, Generation
from minengine.errors import EngineError
from minengine.perplexity import Perplexity

__version__ = "0.1.0"
__all__ = ["Engine", "EngineError", "Generation", "Perplexity", "__version__"]
