"""Images from a folder or a zip, decoded once and kept as bytes where memory allows."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError

_CACHE_BYTES = 4 * 2**30
# What Pillow and zipfile raise on bytes that are no image; RuntimeError on a member that is encrypted.
_DAMAGE = (OSError, ValueError, SyntaxError, RuntimeError, zlib.error, zipfile.BadZipFile)


class ImageMedia:
    """Images cut to squares: the shorter side scaled to ``size`` (bicubic), the centre taken.

    Args:
        path: Folder or zip.
        ids: Names of the images wanted, in this order; a name is the path inside the folder or zip.
        size: Side of a square in pixels.

    Raises:
        InputError: The folder or zip can't be read, or lacks some of the images.
    """

    def __init__(self, path: Path, ids: list[str], size: int) -> None:
        self.path = path
        self.ids = ids
        self.size = size
        self._archive = None if path.is_dir() else _open_zip(path)
        if self._archive is None:
            missing = [name for name in ids if not (path / name).is_file()]
        else:
            present = set(self._archive.namelist())
            missing = [name for name in ids if name not in present]
        if missing:
            raise InputError(
                f"{path}: {len(missing)} of {len(ids)} media are missing there, first: {', '.join(missing[:3])}"
            )
        square_bytes = 3 * size * size
        cached = len(ids) * square_bytes <= _CACHE_BYTES
        self._cache = np.empty((len(ids) if cached else 0, 3, size, size), dtype=np.uint8)
        self._known = np.zeros(len(self._cache), dtype=np.bool_)

    def batch(self, rows: Tensor) -> Tensor:
        """Pixels ``[n, 3, size, size]``, float32 from 0 to 1, of some rows ``[n]``.

        Raises:
            InputError: An image can't be decoded; names it.
        """
        squares = np.stack([self._square(row) for row in rows.tolist()])
        return torch.from_numpy(squares).to(torch.float32).div_(255)

    def _square(self, row: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        if not len(self._cache):
            return self._decode(self.ids[row])
        if not self._known[row]:
            self._cache[row] = self._decode(self.ids[row])
            self._known[row] = True
        return np.asarray(self._cache[row])

    def _decode(self, name: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        try:
            data = (self.path / name).read_bytes() if self._archive is None else self._archive.read(name)
            image = Image.open(io.BytesIO(data)).convert("RGB")
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{self.path}: image {name} can't be decoded ({reason})") from error
        width, height = image.size
        scale = self.size / min(width, height)
        wide, high = max(self.size, round(width * scale)), max(self.size, round(height * scale))
        if (wide, high) != image.size:
            image = image.resize((wide, high), Image.Resampling.BICUBIC)
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        image = image.crop((left, top, left + self.size, top + self.size))
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _open_zip(path: Path) -> zipfile.ZipFile:
    require_file(path)
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a whole zip archive ({error})") from error
