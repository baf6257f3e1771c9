import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulm_spark.config.errors import RefusedError
from ulm_spark.events.batch import Batch, IngestedFile, InputFile, new_files, outdated_files

_FILES = st.builds(
    lambda name, ms, size: InputFile(f"file:/d/{name}", f"file:/d/{name}", name, ms, size),
    st.sampled_from(["a.csv", "b.csv", "c/d.csv"]),
    st.integers(0, 3),
    st.integers(0, 3),
)


@given(st.lists(_FILES, unique=True, min_size=1).flatmap(lambda fs: st.tuples(st.just(fs), st.permutations(fs))))
def test_a_batch_id_does_not_depend_on_the_order_of_files(both: tuple[list[InputFile], list[InputFile]]) -> None:
    one, other = both
    assert Batch("s", tuple(one)).batch_id == Batch("s", tuple(other)).batch_id
    assert Batch("s", tuple(one)).batch_id != Batch("t", tuple(one)).batch_id


@given(st.lists(_FILES, unique=True), st.lists(_FILES, unique=True))
def test_a_file_is_new_until_its_name_time_and_size_are_known(found: list[InputFile], known: list[InputFile]) -> None:
    fresh = new_files(found, {file.identity for file in known})
    assert {file.identity for file in fresh} == {f.identity for f in found} - {f.identity for f in known}


def test_a_file_is_outdated_where_it_was_read_otherwise_and_must_still_be_there_as_it_was() -> None:
    found = [InputFile(f"file:/d/{name}", f"file:/d/{name}", name, 1, 2) for name in ("a.csv", "b.csv")]
    same, other = IngestedFile(("a.csv", 1, 2), "b1", "now"), IngestedFile(("b.csv", 1, 2), "b2", "then")
    gone = IngestedFile(("gone.csv", 1, 2), "b1", "now")
    assert outdated_files(found, [same, other, gone], "now", "s") == [other]
    with pytest.raises(RefusedError, match="2 of the 3 files") as raised:
        outdated_files(found, [same, gone, IngestedFile(("b.csv", 1, 3), "b2", "then")], "later", "s")
    assert raised.value.exit_code == 4
