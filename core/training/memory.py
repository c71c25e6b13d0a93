"""How much of a batch fits: measured before the start, halved when it was too much after all.

The batch that is contrasted never changes, only the parts it is computed in (core/training/gradcache.py), so that a
smaller machine gives the same result later.
"""

import contextlib
import ctypes
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from core.errors import ModelError
from core.model.dropout import seed_dropout
from core.model.lora import count_parameters
from core.model.towers import TextStack, VisionStack, set_checkpointing
from core.training.batches import epoch_batches
from core.training.config import TrainConfig
from core.training.data import TrainingData
from core.training.gradcache import TEXTS_A_PICTURE, batch_gradients
from core.training.step import ContrastiveModel, StepInput

GB = 1024**3
_CPU_SHARE = 0.5
_UNKNOWN_RAM = 8 * GB
_CARD_SHARE = 0.95
"""Of the free memory of a card: the allocator's blocks and the driver want some."""
_BACKWARD = 1.3
"""What a backward pass takes beside the kept activations."""
_ONE_DNN = ("could not create a primitive", "could not create a memory object")
"""All that oneDNN says when the host has no memory for its code or its buffers."""

T = TypeVar("T")

log = logging.getLogger(__name__)


def is_cuda(device: str) -> bool:
    """Whether a device has memory of its own that torch can cap and count."""
    return torch.device(device).type == "cuda"


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out: torch's own, the host's, or a library's on the card."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "ALLOC_FAILED" in text or text in _ONE_DNN
    )


def release(device: str) -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    if is_cuda(device):
        torch.cuda.empty_cache()
    elif sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # no glibc: nothing to give back by hand
            ctypes.CDLL(None).malloc_trim(0)


def guarded(attempt: Callable[[int], T], micro_batch: int, device: str) -> tuple[T, int]:
    """``attempt(micro_batch)``, with half of it for as long as memory runs out; the answer and what fitted.

    ``attempt`` must begin from the same state each time. Raises :class:`ModelError` (``memory_too_small``) when
    not even one picture fits.
    """
    while True:
        try:
            return attempt(micro_batch), micro_batch
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            log.warning("Memory ran out with %d pictures at a time: %s", micro_batch, str(error).partition("\n")[0])
        # outside the handler, whose traceback would keep the failed attempt's tensors alive
        release(device)
        if micro_batch == 1:
            raise ModelError("memory_too_small", device=device)
        micro_batch = (micro_batch + 1) // 2


def memory_used(device: str) -> int | None:
    """The peak so far in bytes: of the card, else of the process; None where the system does not say (Windows)."""
    if is_cuda(device):
        return torch.cuda.max_memory_reserved(device)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def budget_bytes(device: str, memory_gb: float = 0.0) -> int:
    """What a run may take: ``memory_gb`` where given, on a card never more than is free, else half of the RAM.

    On a CPU it does not ask what is free now, so that the same run on the same machine is cut in the same way.
    """
    wanted = int(memory_gb * GB)
    if is_cuda(device):
        free, _ = torch.cuda.mem_get_info(device)
        there = int((free + torch.cuda.memory_reserved(device)) * _CARD_SHARE)
        return min(wanted, there) if wanted else there
    if wanted:
        return wanted
    try:
        ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        ram = _UNKNOWN_RAM
    return int(ram * _CPU_SHARE)


@contextlib.contextmanager
def capped(device: str, memory_gb: float = 0.0) -> Iterator[None]:
    """Hold the process to its budget on a card, so that too much fails instead of spilling into system memory."""
    if not is_cuda(device):
        yield
        return
    total = torch.cuda.mem_get_info(device)[1]
    torch.cuda.set_per_process_memory_fraction(min(1.0, budget_bytes(device, memory_gb) / total), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def find_micro_batch(
    model: ContrastiveModel, data: TrainingData, tokens: Tensor, config: TrainConfig
) -> tuple[int, int]:
    """How many of a batch's pictures can be computed at once, and the peak in bytes to be expected.

    The model must be prepared (core/training/step.py) and in training mode; its random state may move. A card is
    tried out, forward and backward, at growing sizes; on a CPU the activations of one and two samples are counted
    and the rest follows. Raises :class:`ModelError` (``memory_too_small``).
    """
    batches = epoch_batches(data, config.effective_batch, config.seed, 1, config.texts_per_image)
    pictures = max(len(batch.images) for batch in batches)
    texts = min(TEXTS_A_PICTURE, max(-(-len(batch.texts) // len(batch.images)) for batch in batches))
    longest = tokens[tokens.ne(0).sum(1).argmax()][None]
    probe = _Probe(model, data.pixels.shape[-1], longest, texts, config)
    if is_cuda(model.device):
        size, peak = largest(probe.tried, pictures, model.device)
    else:
        base, each = probe.counted()
        size = min(pictures, (budget_bytes(model.device, config.memory_gb) - base) // each)
        if size < 1:
            raise ModelError("memory_too_small", device=model.device)
        peak = base + size * each
    # parts of one size: 20 + 20 are quicker than 32 + 8 and need less
    return -(-pictures // -(-pictures // size)), peak


def largest(tried: Callable[[int], int], ceiling: int, device: str) -> tuple[int, int]:
    """The largest size up to ``ceiling`` at which ``tried`` does not run out of memory, and what it answered there.

    Doubles, then halves the gap. Raises :class:`ModelError` (``memory_too_small``) when 1 is too much.
    """
    fits, peak, fails = 0, 0, ceiling + 1
    size = 1
    while fits < size < fails:
        try:
            peak = tried(size)
            fits = size
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            fails = size
        release(device)
        size = min(2 * fits, ceiling) if fails > ceiling else (fits + fails) // 2
    if fits == 0:
        raise ModelError("memory_too_small", device=device)
    return fits, peak


class _Probe:
    """A model with grey pictures and ``texts`` times as many of its longest text, to see what they take."""

    def __init__(self, model: ContrastiveModel, side: int, longest: Tensor, texts: int, config: TrainConfig) -> None:
        self.model, self.side, self.longest, self.texts, self.config = model, side, longest, texts, config
        self.trainable, self.total = count_parameters(model.clip)

    def tried(self, size: int) -> int:
        """A forward and a backward pass of ``size`` pictures with room for the optimiser; the peak in bytes."""
        device = self.model.device
        torch.cuda.reset_peak_memory_stats(device)
        moments = torch.empty(2 * self.trainable, device=device)
        batch_gradients(self.model, self._batch(size), size, _no_scaler(device), self.config.precision)
        self.model.clip.zero_grad(set_to_none=True)
        del moments
        return torch.cuda.max_memory_reserved(device)

    def counted(self) -> tuple[int, int]:
        """Bytes whatever the size, and bytes for each picture with its texts."""
        kept = _slope(self._saved(1), self._saved(2))
        each = kept[1]
        if self.config.checkpointing:
            each += self._a_block()
        weights = 4 * (self.total + 3 * self.trainable)  # gradient and two moments beside the weight
        return weights + int(kept[0] * _BACKWARD), max(1, int(each * _BACKWARD))

    def _a_block(self) -> int:
        """What computing one block again holds for a moment, for each picture."""
        stacks = [m for m in self.model.clip.modules() if isinstance(m, VisionStack | TextStack)]
        depth = min((len(list(next(stack.children()).children())) for stack in stacks), default=1)
        set_checkpointing(self.model.clip, False)
        whole = _slope(self._saved(1), self._saved(2))[1]
        set_checkpointing(self.model.clip, True)
        return whole // depth

    def _saved(self, size: int) -> int:
        """Bytes that autograd keeps between a forward and its backward pass, weights aside."""
        weights = {p.untyped_storage().data_ptr() for p in self.model.clip.parameters()}
        seen: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        batch = self._batch(size)
        seed_dropout(self.model.clip, "vision", batch.image_seeds)
        seed_dropout(self.model.clip, "text", batch.text_seeds)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            held = (
                self.model.image_features(batch.pixels, self.config.precision),
                self.model.text_features(batch.tokens, self.config.precision),
            )
        del held
        return sum(seen.values())

    def _batch(self, size: int) -> StepInput:
        device, count = self.model.device, self.texts * size
        return StepInput(
            pixels=torch.full((size, 3, self.side, self.side), 128, dtype=torch.uint8, device=device),
            tokens=self.longest.expand(count, -1).to(device),
            positives=torch.eye(size, dtype=torch.bool, device=device).repeat(1, self.texts),
            image_seeds=torch.zeros(size, dtype=torch.int32, device=device),
            text_seeds=torch.zeros(count, dtype=torch.int32, device=device),
        )


def _slope(one: int, two: int) -> tuple[int, int]:
    return max(0, 2 * one - two), two - one


def _no_scaler(device: str) -> torch.amp.GradScaler:
    return torch.amp.GradScaler(torch.device(device).type, enabled=False)
