"""One query out of words and a picture."""

import numpy as np
from numpy.typing import NDArray

from core.retrieval.index import unit


def compose(
    text: NDArray[np.floating] | None, image: NDArray[np.floating] | None, weight: float = 0.5
) -> NDArray[np.float32]:
    """The query vector [d], of length 1: (1 - weight) of the words and ``weight`` of the picture.

    Each is brought to length 1 first. A picture is nearer to every picture than any text is (the modality
    gap, Liang et al. 2022), so at equal weights the picture leads. Raises ValueError when neither is given or
    the weight is not in 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight} is not in 0 to 1")
    if text is None and image is None:
        raise ValueError("a query needs words or a picture")
    if image is None:
        return unit(np.asarray(text))
    if text is None:
        return unit(image)
    return unit((1 - weight) * unit(text) + weight * unit(image))
