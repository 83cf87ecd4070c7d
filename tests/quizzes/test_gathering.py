"""Handed-in replies are gathered from folders and zips, whoever packed them."""

from __future__ import annotations

import json
import os
import zipfile

import pytest

from quizzes import collected, gathering
from quizzes.errors import ReplyError
from quizzes.schema import load_banks, load_plans

SECRET = "0123456789abcdef0123456789abcdef\n"


@pytest.fixture(scope="module")
def course():
    banks = load_banks()
    return {"banks": banks, "plans": load_plans(banks["2.1"].path.parent)}


@pytest.fixture
def class_of(tmp_path, course):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    names = ["ada", "grace", "linus"]
    papers = collected.deal("2.3", names, secret, tmp_path / "papers", *course.values())
    return secret, dict(zip(names, papers, strict=True))


def test_the_latest_file_of_each_student_counts(tmp_path, class_of, course):
    secret, papers = class_of
    late = tmp_path / "in" / "ada_2.yaml"
    late.parent.mkdir()
    first = late.with_name("ada_1.yaml")
    first.write_text(papers["ada"].read_text())
    late.write_text(papers["ada"].read_text() + "# changed my mind\n")
    os.utime(first, (1000, 1000))
    os.utime(late, (2000, 2000))
    with zipfile.ZipFile(tmp_path / "in" / "more.zip", "w") as archive:
        archive.write(papers["grace"], "Grace Hopper_17_assignsubmission_file/answers.yaml")
        archive.writestr("__MACOSX/._answers.yaml", "x")
        archive.writestr("readme.txt", "x")
    found = gathering.gather(
        [tmp_path / "in"], secret=secret, roster=["ada", "grace", "linus"], **course
    )
    assert set(found.kept) == {("2.3", "ada"), ("2.3", "grace")}
    assert found.kept["2.3", "ada"].name.endswith("ada_2.yaml")
    assert [(s, f.name.endswith("ada_1.yaml")) for s, f in found.older] == [("ada", True)]
    assert found.missing == ["linus"]
    assert found.refused == []
    paths = gathering.save(found, tmp_path / "out")
    assert [p.relative_to(tmp_path / "out").as_posix() for p in paths] == [
        "2.3/ada.yaml", "2.3/grace.yaml"
    ]  # fmt: skip
    rows = collected.mark_all([tmp_path / "out"], secret, **course)
    assert [r.mark.paper.student for r in rows] == ["ada", "grace"]


def test_what_is_somebody_elses_paper_or_none_at_all_is_refused(tmp_path, class_of, course):
    secret, papers = class_of
    box = tmp_path / "in"
    box.mkdir()
    grace = papers["grace"].read_text()
    (box / "forged.yaml").write_text(grace.replace('student: "grace"', 'student: "ada"'))
    (box / "undigested.yaml").write_text('quiz: "2.3"\nstudent: linus\nanswers: {}\n')
    (box / "broken.yaml").write_text("quiz: [")
    (box / "outside.json").write_text(json.dumps({"quiz": "2.3", "student": "../x", "answers": {}}))
    (box / "stranger.yaml").write_text(grace.replace("grace", "mallory"))
    (box / "huge.yaml").write_text("#" * 100_000)
    (box / "bad.zip").write_bytes(b"PK\x03\x04 no zip")
    os.symlink("/etc/passwd", box / "link.yaml")
    found = gathering.gather([box], secret=secret, roster=["ada", "grace", "linus"], **course)
    assert found.kept == {}
    said = {name.rsplit("/", 1)[-1]: why for name, why in found.refused}
    assert set(said) == {
        "forged.yaml", "undigested.yaml", "broken.yaml", "outside.json", "stranger.yaml",
        "huge.yaml", "bad.zip",
    }  # fmt: skip
    assert "another student" in said["forged.yaml"]
    assert "which paper" in said["undigested.yaml"]
    assert "not on the roster" in said["stranger.yaml"]
    assert "KiB" in said["huge.yaml"]
    assert "no zip" in said["bad.zip"]
    assert found.missing == ["ada", "grace", "linus"]
    with pytest.raises(ReplyError, match="no such file"):
        gathering.gather([tmp_path / "nowhere"], **course)


def test_a_zip_that_unpacks_to_gigabytes_is_read_up_to_the_cap(tmp_path, class_of, course):
    secret, _ = class_of
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.yaml", b"#" * 50_000_000)
    file = next(gathering.files([tmp_path / "bomb.zip"]))
    assert len(file.raw) <= gathering.LARGEST_BYTES + 1
    found = gathering.gather([tmp_path / "bomb.zip"], secret=secret, **course)
    assert "more than" in found.refused[0][1]


def test_only_the_wanted_quiz_is_kept(tmp_path, class_of, course):
    secret, papers = class_of
    found = gathering.gather([papers["ada"]], quiz="2.1", secret=secret, **course)
    assert "wanted is '2.1'" in found.refused[0][1]


def test_a_roster_is_names_a_line_each_once(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("# class of spring\nada\n\n  grace  \n", encoding="utf-8-sig")
    assert gathering.read_roster(path) == ["ada", "grace"]
    for text, said in (("ada\nada\n", "twice"), ("# none\n", "no names"), ("a/b\n", "name of a")):
        path.write_text(text)
        with pytest.raises(ReplyError, match=said):
            gathering.read_roster(path)
