"""Train the packaged model: a small llama on Shakespeare's plays, on the CPU, from a fixed seed.

A development tool, never imported by the package: it needs ``torch`` and ``sentencepiece``.

    python minengine/models/train.py tinyshakespeare.txt --out build/tiny

It writes ``OUT/tiny-shakespeare-f32.gguf`` and ``OUT/loss.csv``; the packaged file is that model
in Q8_0. The last 10 % of the text is held out: neither the vocabulary nor the weights have seen it.

The network is the llama architecture as the engine runs it (see ``minengine/arch.py``):
    x += Wo attention(rope(Wq h), rope(Wk h), Wv h),   h = rms_norm(x) * w
    x += Wd (silu(Wg h) * Wu h),                       h = rms_norm(x) * w
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; every row length is a multiple of 256, so that K-quants fit."""

    D: int = 256
    L: int = 5
    H: int = 8
    G: int = 2
    E: int = 32
    F: int = 768
    V: int = 1024
    S: int = 512
    eps: float = 1e-5
    base: float = 10000.0


def train_vocabulary(text: str, size: int, prefix: Path) -> sentencepiece.SentencePieceProcessor:
    """Byte pairs with byte fallback: 3 special tokens, 256 bytes, then pieces by merge order."""
    paragraphs = [p + "\n\n" for p in text.split("\n\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(paragraphs), model_prefix=str(prefix), vocab_size=size,
        model_type="bpe", byte_fallback=True, character_coverage=1.0, max_sentence_length=1 << 16,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
        allow_whitespace_only_pieces=True, minloglevel=2, num_threads=1,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


class Layer(nn.Module):
    def __init__(self, s: Shape, dropout: float) -> None:
        super().__init__()
        self.s = s
        self.attn_norm, self.ffn_norm = nn.RMSNorm(s.D, s.eps), nn.RMSNorm(s.D, s.eps)
        self.attn_q = nn.Linear(s.D, s.H * s.E, bias=False)
        self.attn_k = nn.Linear(s.D, s.G * s.E, bias=False)
        self.attn_v = nn.Linear(s.D, s.G * s.E, bias=False)
        self.attn_output = nn.Linear(s.H * s.E, s.D, bias=False)
        self.ffn_gate = nn.Linear(s.D, s.F, bias=False)
        self.ffn_up = nn.Linear(s.D, s.F, bias=False)
        self.ffn_down = nn.Linear(s.F, s.D, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        n, t, _ = x.shape
        s, h = self.s, self.attn_norm(x)
        q = rotate(self.attn_q(h).view(n, t, s.H, s.E), cos, sin).transpose(1, 2)
        k = rotate(self.attn_k(h).view(n, t, s.G, s.E), cos, sin).transpose(1, 2)
        v = self.attn_v(h).view(n, t, s.G, s.E).transpose(1, 2)
        k, v = (a.repeat_interleave(s.H // s.G, dim=1) for a in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.attn_output(a.transpose(1, 2).reshape(n, t, s.H * s.E)))
        h = self.ffn_norm(x)
        return x + self.drop(self.ffn_down(self.drop(F.silu(self.ffn_gate(h)) * self.ffn_up(h))))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE on pairs (2i, 2i + 1), the pairing of the llama architecture in GGUF files."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return (
        torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
        .flatten(-2)
        .to(x.dtype)
    )


class Net(nn.Module):
    def __init__(self, s: Shape, dropout: float) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(s.V, s.D)
        self.blk = nn.ModuleList(Layer(s, dropout) for _ in range(s.L))
        self.output_norm = nn.RMSNorm(s.D, s.eps)
        self.drop = nn.Dropout(dropout)
        angle = torch.arange(s.S)[:, None] * s.base ** (-torch.arange(0, s.E, 2) / s.E)
        self.register_buffer("cos", angle.cos()[:, None], persistent=False)
        self.register_buffer("sin", angle.sin()[:, None], persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * s.L) if deep else 0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        t = ids.shape[1]
        x = self.drop(self.token_embd(ids))
        for layer in self.blk:
            x = layer(x, self.cos[:t], self.sin[:t])
        return self.output_norm(x) @ self.token_embd.weight.T


def held_out_loss(
    net: Net, ids: np.ndarray, n_chars: int, bos: int, window: int, stride: int
) -> float:
    """Nats per character: each token is scored once, in windows that begin with BOS and overlap."""
    net.eval()
    total, scored = 0.0, 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=False):
        while scored < len(ids):
            start = max(0, min(scored - (window - stride), len(ids) - window))
            part = torch.from_numpy(ids[start : start + window].astype(np.int64))
            x = torch.cat((torch.tensor([bos]), part[:-1]))
            nll = F.cross_entropy(net(x[None])[0].float(), part, reduction="none")
            total += nll[scored - start :].sum().item()
            scored = start + len(part)
    net.train()
    return total / n_chars


def batches(ids: np.ndarray, bos: int, n: int, window: int, rng: np.random.Generator):
    """Windows that begin with BOS, at random places of the text: x (n, window), y (n, window)."""
    while True:
        at = rng.integers(0, len(ids) - window, n)
        y = np.stack([ids[i : i + window] for i in at]).astype(np.int64)
        x = np.concatenate((np.full((n, 1), bos), y[:, :-1]), axis=1)
        yield torch.from_numpy(x), torch.from_numpy(y)


def write_gguf(
    path: Path, net: Net, s: Shape, vocabulary: sentencepiece.SentencePieceProcessor
) -> None:
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("tiny-shakespeare")
    w.add_description("A small llama trained on Shakespeare's plays for teaching; see CARD.md.")
    w.add_license("MIT")
    w.add_context_length(s.S)
    w.add_embedding_length(s.D)
    w.add_block_count(s.L)
    w.add_feed_forward_length(s.F)
    w.add_head_count(s.H)
    w.add_head_count_kv(s.G)
    w.add_layer_norm_rms_eps(s.eps)
    w.add_rope_dimension_count(s.E)
    w.add_rope_freq_base(s.base)
    w.add_vocab_size(s.V)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    v = vocabulary
    kinds = [
        gguf.TokenType.UNKNOWN if v.IsUnknown(i)
        else gguf.TokenType.CONTROL if v.IsControl(i)
        else gguf.TokenType.BYTE if v.IsByte(i)
        else gguf.TokenType.NORMAL
        for i in range(len(v))
    ]  # fmt: skip
    w.add_token_list([v.IdToPiece(i).encode() for i in range(len(v))])
    w.add_token_scores([v.GetScore(i) for i in range(len(v))])
    w.add_token_types(kinds)
    w.add_bos_token_id(v.bos_id())
    w.add_eos_token_id(v.eos_id())
    w.add_unk_token_id(v.unk_id())
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_add_space_prefix(False)
    for name, p in net.named_parameters():
        w.add_tensor(name, np.ascontiguousarray(p.detach().float().numpy()))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def optimizer_for(net: Net, lr: float) -> torch.optim.Optimizer:
    """AdamW, with weight decay on the matrices alone."""
    matrices = [p for p in net.parameters() if p.dim() == 2]
    vectors = [p for p in net.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)


def rate(step: int, args: argparse.Namespace) -> float:
    """Linear warm-up, then a cosine down to 2 %."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / args.steps))
    return args.lr * min(1.0, (step + 1) / args.warmup) * (0.02 + 0.98 * cosine)


def train(args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    text = args.text.read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    vocabulary = train_vocabulary(text[:cut], Shape.V, args.out / "vocabulary")
    ids, held = (np.array(vocabulary.Encode(t), np.int32) for t in (text[:cut], text[cut:]))
    n_held, bos = len(text) - cut, vocabulary.bos_id()
    torch.manual_seed(args.seed)
    s = Shape()
    net = Net(s, args.dropout)
    n_parameters = sum(p.numel() for p in net.parameters())
    print(f"{n_parameters} parameters, {len(ids)} training tokens, {cut / len(ids):.2f} chars each")
    optimizer = optimizer_for(net, args.lr)
    source = batches(ids, bos, args.batch, args.window, np.random.default_rng(args.seed))
    begin, recent = time.time(), ""
    with open(args.out / "loss.csv", "w", newline="") as f:
        log = csv.writer(f)
        log.writerow(["step", "train_nats_per_token", "held_out_nats_per_character"])
        for step in range(args.steps + 1):
            if step % 100 == 0:
                held_loss = held_out_loss(net, held, n_held, bos, s.S, s.S // 2)
                log.writerow([step, recent, f"{held_loss:.4f}"])
                f.flush()
                print(f"{step:5d} held out {held_loss:.4f} nats/char, {time.time() - begin:.0f} s")
            for group in optimizer.param_groups:
                group["lr"] = rate(step, args)
            x, y = next(source)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(x)
            loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten())
            recent = f"{loss.item():.4f}"
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    for stride in (s.S, s.S // 2, s.S // 8):
        loss_at = held_out_loss(net, held, n_held, bos, s.S, stride)
        print(f"held out, windows of {s.S}, stride {stride}: {loss_at:.4f} nats/char")
    write_gguf(args.out / "tiny-shakespeare-f32.gguf", net, s, vocabulary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, help="tinyshakespeare.txt")
    parser.add_argument("--out", type=Path, default=Path("build/tiny"))
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--dropout", type=float, default=0.12)
    parser.add_argument("--seed", type=int, default=1337)
    train(parser.parse_args())
