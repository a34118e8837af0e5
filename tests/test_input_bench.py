import io

import numpy as np
import pytest
from PIL import Image

from photoclf import input_bench
from photoclf.decode import decode_image


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_bench, "SCANS", 2)
        return input_bench.draw_scans(tmp_path_factory.mktemp("scans") / "drawn")


def test_scans_of_six_megapixels_come_out_as_if_decoded_whole(scans):
    levels = []
    for path in scans:
        whole = Image.open(io.BytesIO(path.read_bytes()))
        assert whole.width * whole.height > 5_900_000
        expected = np.asarray(whole.resize((224, 224), Image.Resampling.BOX), np.float64)
        error = np.mean((decode_image(path, 224) - expected) ** 2)
        levels.append(10 * np.log10(255**2 / error))
    assert np.median(levels) >= 34, levels


def test_every_contender_decodes_every_file(scans):
    with input_bench.input_contenders(scans, 32) as contenders:
        for name, work in contenders[1:]:
            assert work() % len(scans) == 0, name
