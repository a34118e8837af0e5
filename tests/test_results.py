import numpy as np
import pandas as pd

from photoclf import results


def test_folder_table_shows_a_sub_folder_as_one_row(tmp_path):
    (tmp_path / "logs" / "train").mkdir(parents=True)
    (tmp_path / "logs" / "train" / "events").write_bytes(b"x" * 2048)
    (tmp_path / "logs" / "events").write_bytes(b"x" * 1024)
    (tmp_path / "done").write_bytes(b"")
    assert results.folder_table(tmp_path).to_dict("list") == {
        "name": ["done", "logs"],
        "files": [1, 2],
        "kib": [0.0, 3.0],
    }


def test_an_empty_folder_is_an_empty_table(tmp_path):
    assert results.folder_table(tmp_path).empty


def test_metrics_table_keeps_each_metric_with_its_interval_and_baseline():
    metrics = {"precision": 0.9, "roc_auc": 0.95}
    table = results.metrics_table(
        {
            "test": {
                "metrics": metrics,
                "intervals": {"precision": [0.8, 0.97], "roc_auc": [0.9, 0.98]},
            },
            "val": {"metrics": {"precision": 0.92, "roc_auc": 0.96}},
            "baseline_other": {"metrics": {"precision": None, "roc_auc": 0.5}},
            "baseline_metadata": {"metrics": {"precision": 0.7, "roc_auc": 0.96}},
        }
    )
    assert table.metadata.tolist() == [0.7, 0.96]
    assert table.loc["precision", ["test", "low", "high"]].tolist() == [0.9, 0.8, 0.97]
    assert np.isnan(table.loc["precision", "baseline"])
    assert table.index.tolist() == ["precision", "roc_auc"]


def test_error_table_puts_the_worst_first():
    row = {"images": 10, "errors": 1, "rate": 0.1, "low": 0.0, "high": 0.4}
    rows = [
        {"by": "source", "name": "Text/letters", **row},
        {"by": "source", "name": "Photo/prints", **row, "errors": 5, "rate": 0.5},
    ]
    table = results.error_table(rows)
    assert table.name.tolist() == ["Photo/prints", "Text/letters"]
    assert results.error_table(rows, most=1).errors.tolist() == [5]


def test_decision_table_adds_up_to_every_file():
    predictions = pd.DataFrame(
        {
            "pathname": ["a", "b", "c", "d"],
            "score": [0.9, 0.8, 0.1, np.nan],
            "decision": ["photo", "photo", "other", ""],
            "status": ["used", "used", "used", "unreadable"],
            "reason": ["", "", "", "truncated"],
        }
    )
    table = results.decision_table(predictions)
    assert table.files.sum() == 4
    assert table.set_index("outcome").files.to_dict() == {
        "photo": 2,
        "other": 1,
        "unreadable": 1,
    }
    assert table.reason.tolist()[-1] == "truncated"


def test_next_steps_tell_what_was_found_and_end_with_training():
    audit = pd.DataFrame(
        {
            "status": ["used", "used", "used", "unreadable"],
            "label": [1, 0, 0, None],
            "class_folder": ["Photo", "Text", "Text", "Text"],
            "source": ["", "a", "b", ""],
        }
    )
    shortcuts = {"high": True, "sources": [{"sure": 2}, {"sure": 0}]}
    conflicts, suspects = pd.DataFrame({"kind": ["near"]}), pd.DataFrame()
    table = results.next_steps(audit, shortcuts, suspects, conflicts)
    assert table.set_index("found").images.to_dict() == {
        "files that can't be read": 1,
        "pairs with contradicting labels": 1,
        "images that their file gives away": 2,
        "images of classes with one source (Photo)": 1,
        "images to learn from": 3,
    }
    low = results.next_steps(audit, {**shortcuts, "high": False}, suspects, conflicts)
    assert "images that their file gives away" not in set(low.found)
