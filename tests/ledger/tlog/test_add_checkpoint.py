"""The body of add-checkpoint: the example of C2SP tlog-witness, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import AddCheckpoint, MalformedRequest, decode_add_checkpoint, encode_add_checkpoint

EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""  # noqa: E501 - as it is published
NOTE = EXAMPLE.partition("\n\n")[2]
HASH = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw="


def test_the_example_of_the_specification() -> None:
    request = decode_add_checkpoint(EXAMPLE.encode())
    assert (request.old_size, len(request.proof), request.note) == (20852014, 4, NOTE)
    assert encode_add_checkpoint(request) == EXAMPLE.encode()


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_what_is_written_is_read_back(old: int, proof: list[bytes]) -> None:
    request = AddCheckpoint(old, tuple(proof), NOTE)
    assert decode_add_checkpoint(encode_add_checkpoint(request)) == request


def test_too_long_a_proof_and_hashes_of_another_length_are_not_written() -> None:
    for proof in ((bytes(32),) * 64, (bytes(31),)):
        with pytest.raises(ValueError, match="at most 63 hashes of 32 bytes"):
            encode_add_checkpoint(AddCheckpoint(0, proof, NOTE))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n",
        b"old 1\n" + NOTE.encode(),
        b"old 01\n\n" + NOTE.encode(),
        b"old -1\n\n" + NOTE.encode(),
        b"old +1\n\n" + NOTE.encode(),
        b"old 1 \n\n" + NOTE.encode(),
        b"old  1\n\n" + NOTE.encode(),
        b"old\n\n" + NOTE.encode(),
        b"new 1\n\n" + NOTE.encode(),
        "old ١\n\n".encode() + NOTE.encode(),
        b"old 9223372036854775808\n\n" + NOTE.encode(),
        b"old " + b"9" * 5000 + b"\n\n" + NOTE.encode(),
        b"old 1\r\n\r\n" + NOTE.encode(),
        b"old 1\nAAAA\n\n" + NOTE.encode(),
        b"old 1\n" + HASH[:-1].encode() + b"\n\n" + NOTE.encode(),
        b"old 1\n" + HASH.replace("w=", "x=").encode() + b"\n\n" + NOTE.encode(),
        b"old 1\n" + (HASH.encode() + b"\n") * 64 + b"\n" + NOTE.encode(),
        b"old 1\n\n\xff\xfe",
    ],
)
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_add_checkpoint(body)
