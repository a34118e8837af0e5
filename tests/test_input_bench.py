import io

import numpy as np
import pytest
from PIL import Image

from photoclf import bench_images
from photoclf.decode import decode_image
from photoclf.input_bench import input_contenders


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_images, "SCANS", 2)
        return bench_images.draw_scans(tmp_path_factory.mktemp("scans") / "drawn")


def distance(data: bytes) -> float:
    """Tell how near the decoder's pixels are to the whole image's areas, in dB."""
    whole = Image.open(io.BytesIO(data))
    assert whole.width * whole.height > 5_900_000
    expected = np.asarray(whole.convert("RGB").resize((224, 224), Image.Resampling.BOX), np.float64)
    return 10 * np.log10(255**2 / np.mean((decode_image(data, 224) - expected) ** 2))


def test_scans_of_six_megapixels_come_out_as_if_decoded_whole(scans):
    levels = [distance(path.read_bytes()) for path in scans]
    assert np.median(levels) >= 34, levels


def test_each_typed_page_without_colours_comes_out_as_if_decoded_whole(scans):
    file = io.BytesIO()
    Image.open(scans[0]).convert("L").save(file, "JPEG", quality=90)
    assert distance(file.getvalue()) >= 34


def test_every_contender_decodes_every_file(scans):
    with input_contenders(scans, 32) as contenders:
        for one in contenders:
            assert one.work() % len(scans) == 0, one.name
