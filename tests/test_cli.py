"""The command line: exit codes, sentences instead of tracebacks, help with units and defaults."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from photoclf.cli import main
from photoclf.config import RunConfig
from photoclf.files import sha256_file
from photoclf.label_journal import LabelJournal
from photoclf.paths import Workspace
from photoclf.schema import AUDIT, MANIFEST, PREDICTIONS, SPLIT
from photoclf.tables import read_table
from tests.images import draw_noise, write_image


@pytest.fixture
def call():
    def run(*words: object):
        return CliRunner().invoke(main, [str(word) for word in words])

    return run


def make_archive(folder: Path, *classes: str, images: int = 12) -> Path:
    for c, name in enumerate(classes):
        for i in range(images):
            write_image(folder / name / f"{i}.png", seed=100 * c + i)
    return folder


def test_help_of_train_gives_every_field_of_a_run_with_its_default(call):
    text = call("train", "--help").output
    for f in fields(RunConfig):
        assert f"--{f.name.replace('_', '-')}" in text
    assert text.count("default") >= len(fields(RunConfig))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train", "--epochs", "0"], 2, "from 1 to 1000. Received: 0"),
        (["train", "--epoch", "3"], 2, "--epochs"),
        (["train", "--model", "compact"], 2, "compact_cnn"),
        (["train", "--filters", "a,b"], 2, "separated by commas"),
        (["trian"], 2, "train"),
        (["sweep", "deepth"], 2, "Did you mean 'depth'"),
        (["scan", "--archive", "nowhere"], 1, "must be a folder"),
        (["scan"], 1, "--archive DIR"),
        (["split"], 1, "must exist"),
        (["compare"], 1, "must exist"),
        (["evaluate"], 1, "Compare the runs first"),
        (["evaluate", "--run", "20260101-000000_x_00000000"], 1, "must be one of"),
        (["predict", "nowhere"], 2, "does not exist"),
        (["split", "--val-fraction", "1.5"], 2, "0<x<1"),
        (["split", "--val-fraction", "nan"], 2, ""),
        (["pipeline", "--val-fraction", "0.5", "--test-fraction", "0.5"], 2, "left to train"),
        (["pipeline", "--split-seed", "-1"], 2, "x>=0"),
        (["ablate", "nowhere.yaml"], 2, "does not exist"),
        (["bench", "--only", "imput"], 2, "Did you mean 'input'"),
    ],
)
def test_a_wrong_call_says_what_to_do_and_fails(call, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    result = call(*words)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "models").exists()


def test_debug_shows_where_an_error_came_from(call, tmp_path):
    result = call("--debug", "scan", "--archive", tmp_path / "nowhere", "--workspace", tmp_path)
    assert type(result.exception).__name__ == "ArchiveError"


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ((), "must hold files"),
        (("Photo",), "at least two class folders"),
        (("Photos", "Text"), "Did you mean 'Photos'"),
    ],
)
def test_an_archive_that_teaches_nothing_is_refused(call, tmp_path, classes, said):
    archive = make_archive(tmp_path / "archive", *classes)
    archive.mkdir(exist_ok=True)
    for verb in ("scan", "pipeline"):
        result = call(verb, "--archive", archive, "--workspace", tmp_path / "ws")
        assert result.exit_code == 1
        assert said in result.output


def test_audit_accounts_for_a_folder_without_classes(call, tmp_path):
    write_image(tmp_path / "in" / "a.png", seed=1)
    (tmp_path / "in" / "b.jpg").write_bytes(b"")
    (tmp_path / "in" / "c.jpg").write_text("<html>")
    result = call("audit", "--archive", tmp_path / "in", "--workspace", tmp_path / "ws")
    assert result.exit_code == 0, result.output
    audit = read_table(tmp_path / "ws" / "data" / "audit.csv", AUDIT)
    assert dict(zip(audit.pathname, audit.status, strict=True)) == {
        "a.png": "used",
        "b.jpg": "unreadable",
        "c.jpg": "not_an_image",
    }


def test_scan_remembers_the_archive_for_the_verbs_that_follow(call, tmp_path):
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    place = tmp_path / "ws"
    assert call("scan", "--archive", archive, "--workspace", place).exit_code == 0
    assert call("audit", "--workspace", place).exit_code == 0
    assert call("split", "--workspace", place).exit_code == 0
    result = call("cache", "--image-size", "16", "--workspace", place)
    assert result.exit_code == 0, result.output
    assert "24 images of 16 px" in result.output


def test_labels_that_a_person_corrected_survive_a_later_audit(call, tmp_path):
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    place = tmp_path / "ws"
    call("scan", "--archive", archive, "--workspace", place)
    manifest = place / "data" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("Text/3.png;0", "Text/3.png;1"))
    assert call("audit", "--workspace", place).exit_code == 0
    audit = read_table(place / "data" / "audit.csv", AUDIT).set_index("pathname")
    assert audit.label["Text/3.png"] == 1


def test_the_verbs_of_a_trained_workspace_work_one_after_the_other(call, own_copy):
    words = ["--workspace", own_copy.root]
    result = call("compare", *words)
    assert result.exit_code == 0, result.output
    result = call("evaluate", *words)
    assert result.exit_code == 0, result.output
    assert "recall" in result.output
    result = call("check", *words)
    assert result.exit_code == 0, result.output
    assert "Without looking: F1" in result.output
    assert "none changed" in result.output
    assert (own_copy.data / "shortcuts.json").is_file()
    assert (own_copy.data / "suspects.csv").is_file()
    folder = own_copy.root / "new"
    write_image(folder / "x.png", seed=3)
    (folder / "y.jpg").write_bytes(b"\xff\xd8\xff")
    out = own_copy.root / "out.csv"
    result = call("predict", folder, "--out", out, *words)
    assert result.exit_code == 0, result.output
    predictions = read_table(out, PREDICTIONS).set_index("pathname")
    assert predictions.status.to_dict() == {"x.png": "used", "y.jpg": "unreadable"}
    assert predictions.decision["x.png"] in ("photo", "other")


def test_a_near_duplicate_moved_across_the_split_by_hand_is_refused_by_name(call, tmp_path):
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    rescan = draw_noise(3).resize((36, 36))
    rescan.save(archive / "Photo" / "rescan.png")
    where = ("--workspace", tmp_path / "workspace")
    assert call("audit", *where, "--archive", archive).exit_code == 0
    assert call("split", *where).exit_code == 0
    path = tmp_path / "workspace/data/split.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    (moved,) = (i for i, line in enumerate(lines) if line.startswith("Photo/rescan.png;"))
    rest, _, side = lines[moved].rpartition(";")
    lines[moved] = f"{rest};{'test' if side == 'train' else 'train'}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for verb in ("cache", "train", "compare"):
        told = call(verb, *where)
        assert told.exit_code == 1
        assert "'Photo/3.png'" in told.output
        assert "'Photo/rescan.png'" in told.output


def test_a_label_conflict_is_told_by_auditing_and_a_plan_by_splitting(call, tmp_path):
    for box in ("a", "b"):
        make_archive(tmp_path / "archive", f"Photo/{box}", f"Text/{box}", images=8)
    for box in ("a", "b"):  # the boxes must differ, or they are copies
        for name in ("Photo", "Text"):
            for i in range(8):
                seed = 1000 * ord(box) + 100 * len(name) + i
                write_image(tmp_path / "archive" / name / box / f"{i}.png", seed=seed)
    planted = (tmp_path / "archive/Photo/a/3.png").read_bytes()
    (tmp_path / "archive/Text/a/planted.png").write_bytes(planted)
    where = ("--workspace", tmp_path / "workspace")
    told = call("audit", *where, "--archive", tmp_path / "archive")
    assert told.exit_code == 0
    assert "Text/a/planted.png" in told.output
    assert "1 label conflict" in told.output
    told = call("split", "--plan", *where)
    assert told.exit_code == 0
    assert "2 splits" in told.output
    assert (tmp_path / "workspace/data/splits/without_2.csv").is_file()
    assert not (tmp_path / "workspace/data/split.csv").exists()


def test_a_workspace_inside_the_archive_is_refused_and_nothing_is_written(call, tmp_path):
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    before = sorted(archive.rglob("*"))
    for place in (archive, archive / "work"):
        for verb in ("scan", "audit", "pipeline"):
            result = call(verb, "--archive", archive, "--workspace", place)
            assert result.exit_code == 1
            assert "outside the archive" in result.output
    assert sorted(archive.rglob("*")) == before


def test_predictions_never_overwrite_anything_but_predictions(call, own_copy, tmp_path):
    words = ["--workspace", own_copy.root]
    call("compare", *words)
    folder = tmp_path / "new"
    original = write_image(folder / "x.png", seed=3)
    data = original.read_bytes()
    for out in (original, folder / "out.csv", own_copy.manifest, own_copy.choice, own_copy.data):
        content = out.read_bytes() if out.is_file() else None
        result = call("predict", folder, "--out", out, *words)
        assert result.exit_code == 2, result.output
        assert (out.read_bytes() if out.is_file() else None) == content
    assert original.read_bytes() == data
    out = tmp_path / "out.csv"
    for _ in range(2):
        assert call("predict", folder, "--out", out, *words).exit_code == 0
    for place in (folder / "sorted", own_copy.root.parent / "new"):
        result = call("predict", folder, "--out", out, "--sort-into", place, *words)
        assert result.exit_code == 2, result.output
    assert [path.name for path in folder.iterdir()] == ["x.png"]


def test_predicting_tells_its_figures_in_words_and_as_json(call, own_copy, tmp_path):
    call("compare", "--workspace", own_copy.root)
    folder = tmp_path / "new"
    for seed in range(3):
        write_image(folder / f"{seed}.png", seed=seed)
    (folder / "y.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "desktop.ini").write_bytes(b"")
    out, sorted_into = tmp_path / "out.csv", tmp_path / "sorted"
    words = ["predict", folder, "--workspace", own_copy.root, "--out", out]
    result = call(*words, "--json", "--sort-into", sorted_into)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["files"], told["unreadable"], told["ignored"], told["kept"]) == (5, 1, 1, 0)
    assert told["photo"] + told["other"] + told["review"] == 3
    assert told["photo_share"] == told["photo"] / 3
    links = [path for path in sorted_into.rglob("*") if path.is_symlink()]
    assert sorted(link.resolve() for link in links) == sorted(folder.glob("?.png"))
    result = call(*words)
    assert "5 files by" in result.output
    assert "5 of them done before" in result.output


def test_predicting_in_a_folder_writes_nothing_into_it(call, tmp_path, monkeypatch):
    archive = make_archive(tmp_path / "archive", "Photo", images=2)
    before = sorted(archive.rglob("*"))
    monkeypatch.chdir(archive)
    for words in ((".",), (".", "--out", "../o.csv"), (archive, "--workspace", archive / "w")):
        result = call("predict", *words, "--model", "release")
        assert result.exit_code == 2, result.output
        assert "workspace must go outside" in result.output
    assert sorted(archive.rglob("*")) == before


def test_a_run_by_its_folder_and_a_table_of_files_are_predicted(call, own_copy, tiny_archive):
    (run,) = own_copy.models.glob("2*")
    out = own_copy.root / "out.csv"
    words = ["predict", own_copy.manifest, "--workspace", own_copy.root, "--out", out]
    result = call(*words, "--model", run, "--archive", tiny_archive)
    assert result.exit_code == 0, result.output
    manifest = read_table(own_copy.manifest, MANIFEST)
    assert read_table(out, PREDICTIONS).pathname.tolist() == manifest.pathname.tolist()
    result = call(*words, "--model", "2026")
    assert result.exit_code == 1
    assert "The run must be one of those" in result.output


@pytest.mark.parametrize("part", ["model.tflite", "best.keras", "history.csv", "model.json"])
def test_a_finished_run_that_lost_a_part_is_trained_anew_and_left_as_it_is(call, own_copy, part):
    (run,) = own_copy.models.glob("2*")
    (run / part).unlink()
    left = {path.name for path in run.iterdir()}
    result = call(
        "train", "--image-size", 32, "--filters", "4,8", "--epochs", 1, "--batch-size", 16,
        "--workspace", own_copy.root,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert {path.name for path in run.iterdir()} == left
    (other,) = (path for path in own_copy.models.glob("2*") if path != run)
    assert (other / "done").is_file()


@pytest.mark.parametrize(
    ("name", "content"),
    [("scan.json", "{}"), ("scan.json", ""), ("scan.json", "[1]")],
)
def test_a_broken_note_of_the_last_scan_costs_nothing(call, own_copy, name, content):
    (own_copy.data / name).write_text(content)
    result = call("scan", "--workspace", own_copy.root)
    assert result.exit_code == 0, result.output
    assert "Kept" not in result.output


def test_a_run_with_a_broken_provenance_is_left_out_of_comparisons(call, own_copy):
    (run,) = own_copy.models.glob("2*")
    (own_copy.models / "broken").mkdir()
    for name in ("config.json", "done"):
        (own_copy.models / "broken" / name).write_bytes((run / name).read_bytes())
    (own_copy.models / "broken" / "provenance.json").write_text("null")
    result = call("compare", "--workspace", own_copy.root)
    assert result.exit_code == 0, result.output


def test_a_model_and_its_note_changed_together_are_refused(call, own_copy):
    import hashlib

    (run,) = own_copy.models.glob("2*")
    data = (run / "model.tflite").read_bytes() + b"x"
    (run / "model.tflite").write_bytes(data)
    facts = json.loads((run / "model.json").read_text())
    facts["sha256"] = hashlib.sha256(data).hexdigest()
    (run / "model.json").write_text(json.dumps(facts))
    result = call("evaluate", "--run", run.name, "--workspace", own_copy.root)
    assert result.exit_code == 1
    assert "model.json of the run" in result.output


def test_labels_are_told_merged_and_grown_into_a_split(call, tmp_path):
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    ws = ("--workspace", tmp_path / "ws")
    for words in (("scan", "--archive", archive), ("audit",), ("split",)):
        assert call(*words, *ws).exit_code == 0
    assert "Nobody has labelled yet" in call("label", *ws).output
    nothing = call("label", "--merge", *ws)
    assert (nothing.exit_code, "08_label" in nothing.output) == (1, True)
    split = read_table(tmp_path / "ws/data/split.csv", SPLIT)
    learnt, tested = (split[split["split"] == side].iloc[0] for side in ("train", "test"))
    journal = LabelJournal(tmp_path / "ws/data/labels.csv")
    for who in ("anna", "ben"):
        for row, source in ((learnt, "suspects"), (tested, "random")):
            said = "other" if row.label else "photo"
            journal.append(
                who=who, pathname=row.pathname, sha256=row.sha256, label=said, source=source
            )
    third = split[split["split"] == "train"].iloc[1]
    for who, said in (("anna", "photo"), ("ben", "other")):
        journal.append(
            who=who,
            pathname=third.pathname,
            sha256=third.sha256,
            label=said,
            source="uncertainty",
        )
    told = call("label", *ws).output
    assert "anna: 3 images" in told
    assert "anna and ben: 2 of 3 images alike" in told
    assert "1 conflict, left out" in told
    assert "random sample: " in told
    conflicts = call("label", "--conflicts", *ws).output
    assert third.pathname in conflicts
    merged = call("label", "--merge", *ws)
    assert merged.exit_code == 0, merged.output
    assert "2 labels changed, 0 files added" in merged.output
    assert "1 conflict left out" in merged.output
    assert call("audit", *ws).exit_code == 0
    grown = call("split", "--grow", "more", *ws)
    assert grown.exit_code == 0, grown.output
    assert "0 images added to train, 1 relabelled" in grown.output
    assert f"{tested.pathname} (test, " in grown.output
    assert (tmp_path / "ws/data/splits/more.csv").is_file()
    assert call("split", "--grow", "a/b", *ws).exit_code == 2


def test_names_that_a_terminal_would_obey_are_printed_escaped(call, tmp_path):
    journal = LabelJournal(tmp_path / "ws/data/labels.csv")
    archive = make_archive(tmp_path / "archive", "Photo", "Text")
    said = {"who": "anna", "label": "photo", "source": "random"}
    for i, name in enumerate(("\x1b[2Jclear.png", "bytes\udcff.png", "a\u202egnp.png")):
        for who in ("anna", "ben") if i < 2 else ("anna",):
            label = "photo" if who == "anna" else "other"
            told = said | {"who": who, "label": label}
            journal.append(**told, pathname=f"Text/{name}", sha256=f"{i:064x}")
    listed = call("label", "--conflicts", "--workspace", tmp_path / "ws")
    assert listed.exit_code == 0
    assert "bytes\\udcff.png" in listed.output
    merged = call("label", "--merge", "--archive", archive, "--workspace", tmp_path / "ws")
    assert merged.exit_code == 0, merged.output
    assert "gnp.png" in merged.output
    for output in (listed.output, merged.output):
        assert not {"\x1b", "\udcff", "\u202e"} & set(output)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "more"], "--from goes only with --grow"),
        (["--families", "f.yaml"], "--families goes only with --plan"),
        (["--grow", "x", "--test-fraction", "0.2"], "--test-fraction goes only without --grow"),
        (["--grow", "x", "--val-fraction", "0.15"], "--val-fraction goes only without --grow"),
        (["--grow", "x", "--hold-out", "Photo/a"], "--hold-out goes only without --grow"),
        (["--grow", "x", "--split-seed", "1"], "--split-seed goes only without --grow"),
        (["--grow", "x", "--families", "f.yaml"], "--families goes only with --plan"),
        (["--plan", "--grow", "x"], "--plan goes only without --grow"),
        (["--plan", "--test-fraction", "0.2"], "--test-fraction goes only without --plan"),
        (["--plan", "--hold-out", "Photo/a"], "--hold-out goes only without --plan"),
    ],
)
def test_an_option_of_split_that_would_have_no_effect_is_refused(call, tmp_path, words, said):
    result = call("split", "--workspace", tmp_path, *words)
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_an_archive_without_class_folders_is_taken_from_labels_to_a_grown_split(call, tmp_path):
    for i in range(40):
        write_image(tmp_path / "archive" / "box" / f"{i:02d}.png", seed=i)
    (tmp_path / "archive" / "LISEZMOI.txt").write_text("x")
    workspace = Workspace(tmp_path / "ws")
    ws = ("--workspace", workspace.root)
    assert "Nobody has labelled yet" in call("label", "--conflicts", *ws).output
    assert call("label", "--class-folder", "Maps", *ws).exit_code == 2
    journal = LabelJournal(workspace.labels)

    def label(numbers, said=None):
        for i in numbers:
            path = tmp_path / "archive" / "box" / f"{i:02d}.png"
            journal.append(
                who="anna",
                pathname=f"box/{path.name}",
                sha256=sha256_file(path),
                label=said or ("photo" if i % 2 else "other"),
                source="unlabelled",
            )

    label(range(30))
    label([30], "photograph")
    label([31], "Maps")
    told = call("label", *ws).output
    assert "2 decisions left out when merging" in told
    assert "'photograph' (1). Did you mean 'photo'?" in told
    merged = call("label", "--merge", "--archive", tmp_path / "archive", *ws)
    assert "30 files added" in merged.output
    for words in (("audit",), ("scan",), ("split",)):
        done = call(*words, *ws)
        assert done.exit_code == 0, done.output
    label([33, 34])
    merged = call("label", "--merge", "--class-folder", "Maps", *ws).output
    assert "0 labels changed, 3 files added" in merged
    assert "1 decision left out when merging" in merged
    assert call("audit", *ws).exit_code == 0
    grown = call("split", "--grow", "more", *ws).output
    assert "3 images added to train" in grown
    assert "train --split more" in grown
    assert "evaluate --split more --run NEW" in grown
    table = read_table(workspace.splits / "more.csv", SPLIT).set_index("pathname")
    assert table.class_folder["box/31.png"] == "Maps"
