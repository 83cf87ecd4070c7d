"""The part as it was given."""


FAILS = {
    "dequantize_alone": "dequantize-unmended",
    "dequantize_scene": "dequantize-still-seen",
    "dequantize_elsewhere": "dequantize-elsewhere",
}


def dequantize(raw):
    blocks = raw.reshape(len(raw), -1, 34)
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    codes = blocks[:, :, 2:].astype(np.float32)
    return (scales * codes).reshape(len(raw), -1)
