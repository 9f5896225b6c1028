from rlgan.settings import imported_objects, is_import_here, resolve


def test_only_what_a_stranger_wrote_is_sent_to_other_processes():
    for name in ("envs.rewards:limited", "rlgan.text.losses:policy_gradient", "math:sqrt"):
        resolve(name, {})
    assert "math:sqrt" in imported_objects()
    assert not [name for name in imported_objects() if name.startswith(("envs", "rlgan"))]


def test_what_lies_here_by_a_name_with_a_colon_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_import_here("pictures:2024")
    (tmp_path / "pictures:2024").mkdir()
    assert not is_import_here("pictures:2024")
