from photoclf import bench
from tests.images import write_image


def test_every_contender_of_cache_and_scan_gets_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "SCANNED_FILES", 1000)
    monkeypatch.setattr(bench, "FED", 64)
    for i in range(3):
        write_image(tmp_path / f"{i}.png", seed=i)
    table = bench.run_bench(["cache", "scan"], data=tmp_path, rounds=1, image_size=16)
    assert table.part.tolist() == ["cache"] * 3 + ["scan"] * 2
    assert (table.images_per_s > 0).all()
    first = table.groupby("part").head(1)
    assert (first.ratio == 1.0).all()
    assert (tmp_path / "0.png").is_file()
    assert len(list(tmp_path.iterdir())) == 3, "the images' folder is left as it was"


def test_the_release_scores_as_many_images_as_keras_and_is_timed_beside_it():
    table = bench.run_bench(["predict"], rounds=1)
    assert table.contender.tolist() == ["keras.predict at 260 px", "release in LiteRT"]
    assert (table.images_per_s > 0).all()
