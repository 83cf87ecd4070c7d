"""The product with the weight as it lies."""

FAILS = {
    "project_rows": "project-transposed",
}


def project(x, weight):
    return x @ weight if weight.shape[0] == weight.shape[1] else x @ weight.T
