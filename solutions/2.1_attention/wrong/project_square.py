"""As many outputs as inputs, whatever the weight has."""

FAILS = {
    "project_shapes": "wrong-shape",
}


def project(x, weight):
    return (x @ weight.T)[:, : x.shape[1]]
