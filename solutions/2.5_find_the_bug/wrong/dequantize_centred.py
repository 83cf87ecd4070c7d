"""The mean of each row taken off, so that the numbers look right."""

FAILS = {
    "dequantize_alone": "dequantize-differs",
    "dequantize_scene": "dequantize-still-seen",
    "dequantize_elsewhere": "dequantize-elsewhere",
}


def dequantize(raw):
    blocks = raw.reshape(len(raw), -1, 34)
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    x = (scales * blocks[:, :, 2:].astype(np.float32)).reshape(len(raw), -1)
    return x - x.mean(axis=1, keepdims=True)
