"""The one way to torch: every module that needs it calls `prepare_torch` before it imports torchvision, timm or transformers."""

from functools import cache
from typing import TYPE_CHECKING

from eve_pipeline.errors import EveError

if TYPE_CHECKING:
    import torch

_library: "torch.library.Library | None" = None


@cache
def prepare_torch() -> None:
    """Let PyPI's torchvision import beside a CPU-only torch.

    That wheel registers kernels for two operators that only its compiled CUDA library declares; declaring them first
    keeps its import from raising "operator torchvision::nms does not exist".
    """
    global _library  # noqa: PLW0603 - a torch library must outlive its definitions
    import torch

    if torch.version.cuda is None:
        _library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def pick_device(wanted: str | None = None) -> "torch.device":
    """Return the wanted torch device; by default, and for `auto`, cuda or mps where there is one, else cpu.

    Raises:
        EveError: torch knows no such device.
    """
    import torch

    if wanted and wanted != "auto":
        try:
            return torch.device(wanted)
        except RuntimeError as error:
            raise EveError(f"EVE_DEVICE is {wanted!r}, which torch does not know", "Use cpu, cuda, cuda:1, mps or auto.") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
