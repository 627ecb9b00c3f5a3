"""The names of networks and what those of methods mean, in the words of all pages that have them."""

NETWORKS = {
    "resnet8": "ResNet-8",
    "resnet18": "ResNet-18",
    "resnet20": "ResNet-20",
    "resnet34": "ResNet-34",
    "mobilenetv2": "MobileNetV2",
}

MEANING_OF_PRECISION = "W4A4 has weights and activations of 4 bits."
MEANING_OF_METHODS = (
    "*LSQ* learns one step size for the activations of a layer;"
    " in *ASQ* an adapter multiplies the step by a factor β for each image."
)
MEANING_OF_WEIGHTS = (
    "Weights are uniform but for *POST* (signed powers of √2), *POT* (of 2), *APOT* (sums of two powers of 2)"
    " and *E2M1* (a float of 4 bits)"
)


def name_network(network: str) -> str:
    """A network's name as pages have it; its own where they have no other."""
    return NETWORKS.get(network, network)
