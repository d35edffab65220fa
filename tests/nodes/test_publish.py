"""Our file put where the runtime finds it, and taken away: whatever else is there, and whenever the power goes."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.errors import CniError, IoFailure, TryAgainLater
from cni_multus.node.configure import configure
from cni_multus.node.marker import MARKER, OURS, UNINSTALLING, read_mark, stamp
from cni_multus.node.publish import Refused, Uninstalling, conf_lock, exclusive, restore_renamed, withdraw
from cni_multus.node.root import resolved
from tests.node import in_private_mounts
from tests.nodes.kit import NET_D, Site, fill, primary
from tests.stepping import calls, killed_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.node.publish import Published

GO = '{"cniVersion": "0.3.1", "name": "multus-cni-network", "type": "multus", "delegates": [{"type": "x"}]}'


def apply(site: Site, **changed: Any) -> Published:
    return configure(str(site.root), site.configuration(**changed))


def edit(site: Site, name: str = "00-multus.conf") -> str:
    """Change our file as somebody would; what it holds then."""
    text = json.dumps({**site.ours(name), "logLevel": "debug"})
    (site.net_d / name).write_text(text)
    return text


def is_good(site: Site) -> bool:
    """Whether the first file that a runtime finds is a whole configuration."""
    names = [name for name in site.names() if name.endswith((".conf", ".conflist"))]
    return bool(names) and isinstance(json.loads((site.net_d / names[0]).read_text()), dict)


def test_publishing_twice_changes_nothing(site: Site) -> None:
    site.put("10-calico.conflist")
    assert apply(site).change == "created"
    before = (site.net_d / "00-multus.conf").stat()
    assert apply(site).change == "unchanged"
    after = (site.net_d / "00-multus.conf").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600
    assert site.names() == ["00-multus.conf", "10-calico.conflist"]


def test_the_other_form_goes_when_the_primary_is_upgraded_and_comes_back_with_it(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site)
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "1.0.0"))
    done = apply(site)
    assert (done.path, done.removed) == (f"{NET_D}/00-multus.conflist", ("00-multus.conf",))
    assert site.names() == ["00-multus.conflist", "10-calico.conflist"]
    site.put("10-calico.conflist")
    assert apply(site).removed == ("00-multus.conflist",)
    assert site.names() == ["00-multus.conf", "10-calico.conflist"]


def test_what_was_edited_stays_unless_forced(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site)
    text = edit(site)
    with pytest.raises(Refused, match=f"{NET_D}/00-multus.conf was edited"):
        apply(site)
    assert (site.net_d / "00-multus.conf").read_text() == text
    assert apply(site, force=True).change == "replaced"
    assert read_mark((site.net_d / "00-multus.conf").read_bytes()).owner == OURS


def test_an_edited_file_of_the_other_form_stays_too(site: Site) -> None:
    """The runtime would go on reading it: nothing is written beside it."""
    site.put("10-calico.conflist")
    apply(site)
    edit(site)
    site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "1.0.0"))
    with pytest.raises(Refused, match=f"{NET_D}/00-multus.conf was edited"):
        apply(site)
    assert site.names() == ["00-multus.conf", "10-calico.conflist"]


def test_the_go_multus_file_stays_unless_forced(site: Site) -> None:
    site.put("10-calico.conflist")
    site.put("00-multus.conf", GO)
    with pytest.raises(Refused, match="was not written by this program"):
        apply(site)
    assert (site.net_d / "00-multus.conf").read_text() == GO
    assert apply(site, force=True).change == "replaced"


def test_an_empty_file_in_our_place_is_nobodys(site: Site) -> None:
    """The Go daemon leaves one where it cannot read the primary's, and the node starts no pod."""
    site.put("10-calico.conflist")
    (site.net_d / "00-multus.conf").touch()
    assert apply(site).change == "replaced"
    assert is_good(site)


def test_a_link_in_our_place_is_not_followed(site: Site) -> None:
    site.put("10-calico.conflist")
    other = site.root / "other"
    other.write_text("precious")
    (site.net_d / "00-multus.conf").symlink_to(other)
    with pytest.raises(IoFailure, match="symbolic link"):
        apply(site)
    assert other.read_text() == "precious"


def test_an_uninstallation_is_not_undone_unless_installed_again(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site)
    leaving = stamp({**site.ours(), UNINSTALLING: True}, f"{NET_D}/10-calico.conflist")
    (site.net_d / "00-multus.conf").write_text(json.dumps(leaving))
    with pytest.raises(Uninstalling):
        apply(site, force=True)
    assert withdraw(str(site.root), NET_D, last=False).left == ("00-multus.conf",)
    assert configure(str(site.root), site.configuration(), revive=True).change == "replaced"


def test_withdrawing_leaves_nothing_of_ours_and_everything_else(site: Site) -> None:
    site.put("10-calico.conflist")
    site.put("00-multus.conf.bak", GO)
    before = tree(site)
    apply(site)
    (site.net_d / "00-multus.conf").rename(site.net_d / "00-multus.conf.cilium_bak")
    apply(site)
    (site.net_d / ".multus-config").write_text("killed")
    done = withdraw(str(site.root), NET_D)
    assert done.removed == ("00-multus.conf", "00-multus.conf.cilium_bak")
    assert tree(site) == before
    assert withdraw(str(site.root), NET_D).removed == ()


def test_withdrawing_leaves_what_was_edited(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site)
    edit(site)
    assert withdraw(str(site.root), NET_D).left == ("00-multus.conf",)
    assert withdraw(str(site.root), NET_D, force=True).removed == ("00-multus.conf",)


def test_a_renamed_primary_has_its_name_back(site: Site) -> None:
    site.put("10-calico.conflist")
    before = tree(site)
    for _ in range(2):
        apply(site, rename=True)
        assert site.names() == ["00-multus.conf", "10-calico.conflist.old"]
    assert site.ours()["clusterNetwork"] == f"{NET_D}/10-calico.conflist.old"
    with conf_lock(str(site.root), NET_D):
        assert restore_renamed(str(site.root), NET_D) == ("10-calico.conflist",)
    apply(site, rename=True)
    assert withdraw(str(site.root), NET_D).restored == ("10-calico.conflist",)
    assert tree(site) == before


def test_a_primary_that_was_renamed_may_come_again(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site, rename=True)
    site.put("10-calico.conflist", primary("10-antrea.conflist"))
    apply(site, rename=True)
    assert site.names() == ["00-multus.conf", "10-calico.conflist.old"]
    assert json.loads((site.net_d / "10-calico.conflist.old").read_text())["name"] == "antrea"


def test_somebody_elses_old_file_is_not_overwritten(site: Site) -> None:
    site.put("10-calico.conflist")
    site.put("10-calico.conflist.old", "mine")
    with pytest.raises(IoFailure, match=r"10-calico\.conflist\.old is there already, and is not ours"):
        apply(site, rename=True)
    assert (site.net_d / "10-calico.conflist.old").read_text() == "mine"
    assert "10-calico.conflist" in site.names()


def test_a_second_primary_does_not_take_the_place_of_a_renamed_one(site: Site) -> None:
    site.put("10-calico.conflist")
    site.put("87-podman.conflist", "{")
    for _ in range(3):
        apply(site, rename=True)
        assert site.names() == ["00-multus.conf", "10-calico.conflist.old", "87-podman.conflist"]


def test_one_that_comes_before_it_does_and_gives_it_its_name_back(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site, rename=True)
    site.put("05-cilium.conflist")
    for _ in range(3):
        apply(site, rename=True)
        assert site.names() == ["00-multus.conf", "05-cilium.conflist.old", "10-calico.conflist"]
    assert withdraw(str(site.root), NET_D).restored == ("05-cilium.conflist",)


def test_a_primary_is_renamed_no_longer_than_that_is_asked_for(site: Site) -> None:
    site.put("10-calico.conflist")
    apply(site, rename=True)
    for _ in range(2):
        apply(site)
        assert site.names() == ["00-multus.conf", "10-calico.conflist"]
        assert site.ours()["clusterNetwork"] == f"{NET_D}/10-calico.conflist"


def test_a_forged_marker_moves_nothing_outside_of_its_directory(site: Site) -> None:
    (site.root / "passwd.old").write_text("x")
    forged = stamp({"type": "multus"}, f"{NET_D}/x", "../../../passwd")
    site.put("00-multus.conf", json.dumps(forged))
    assert withdraw(str(site.root), NET_D).restored == ()
    site.put("00-multus.conf", json.dumps(stamp({"type": "multus"}, "nowhere", "10-calico.conflist")))
    assert withdraw(str(site.root), NET_D).removed == ("00-multus.conf",)
    assert (site.root / "passwd.old").exists()


def test_a_full_disk_leaves_the_last_good_one(site: Site) -> None:
    def work() -> None:
        os.system(f"mount -t tmpfs -o size=64k,nr_inodes=64 none {site.net_d}")
        site.put("10-calico.conflist")
        apply(site)
        before = (site.net_d / "00-multus.conf").read_bytes()
        fill(site.net_d / "filler")
        site.net_d.joinpath("10-calico.conflist").rename(site.net_d / "20-calico.conflist")
        with pytest.raises(IoFailure, match=r"cannot write .*00-multus\.conf: no space left"):
            apply(site)
        assert (site.net_d / "00-multus.conf").read_bytes() == before
        assert ".multus-config" not in site.names()

    in_private_mounts(work)


def test_an_unwritable_directory_is_told(site: Site) -> None:
    def work() -> None:
        site.put("10-calico.conflist")
        os.system(f"mount --bind {site.net_d} {site.net_d} && mount -o remount,bind,ro {site.net_d}")
        with pytest.raises(IoFailure, match="read-only"):
            apply(site)

    in_private_mounts(work)


def test_whoever_holds_the_lock_too_long_is_told_of(site: Site) -> None:
    directory = resolved(str(site.root), NET_D)
    with exclusive(directory, "x"), pytest.raises(TryAgainLater, match="another process has had"):
        with exclusive(directory, "cannot publish", patience=0.1):
            pass


def test_many_at_once_leave_one_whole_file(site: Site) -> None:
    site.put("10-calico.conflist")
    new = primary("10-calico.conflist").replace("0.3.1", "1.0.0")
    failures: list[BaseException] = []

    def work(mine: str) -> None:
        try:
            for _ in range(20):
                site.root.joinpath(f"{threading.get_ident()}").write_text(mine)
                os.rename(site.root / f"{threading.get_ident()}", site.net_d / "10-calico.conflist")
                apply(site)
                assert is_good(site)
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(text,)) for text in (new, primary("10-calico.conflist")) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    apply(site)
    assert failures == []
    assert len([name for name in site.names() if name.startswith("00-")]) == 1


def killed_at_each_step(site: Site, work: Callable[[], object], reset: Callable[[], object]) -> None:
    """Kill it before each of its system calls; there is a whole configuration at each, and the next one finishes."""
    reset()
    work()
    done = tree(site)
    reset()
    total = calls(work)
    for number in range(1, total + 1):
        reset()
        assert is_good(site)
        killed_before(work, number)
        assert is_good(site), number
        work()
        assert tree(site) == done, number


def test_a_change_that_is_killed_is_finished_by_the_next(site: Site) -> None:
    """Also the change of form, which is two steps."""

    def reset() -> None:
        for name in site.names():
            (site.net_d / name).unlink()
        site.put("10-calico.conflist")
        apply(site)
        site.put("10-calico.conflist", primary("10-calico.conflist").replace("0.3.1", "1.0.0"))

    killed_at_each_step(site, lambda: apply(site), reset)


def test_a_primary_is_renamed_or_not_whenever_it_is_killed(site: Site) -> None:
    def reset() -> None:
        for name in site.names():
            (site.net_d / name).unlink()
        site.put("10-calico.conflist")

    killed_at_each_step(site, lambda: apply(site, rename=True), reset)


def test_a_primary_has_its_name_back_or_not_whenever_it_is_killed(site: Site) -> None:
    def reset() -> None:
        for name in site.names():
            (site.net_d / name).unlink()
        site.put("10-calico.conflist")
        apply(site, rename=True)

    killed_at_each_step(site, lambda: apply(site), reset)


def test_a_withdrawal_that_is_killed_is_finished_by_the_next(site: Site) -> None:
    def reset() -> None:
        for name in site.names():
            (site.net_d / name).unlink()
        site.put("10-calico.conflist")
        apply(site, rename=True)

    killed_at_each_step(site, lambda: withdraw(str(site.root), NET_D), reset)


def tree(site: Site) -> dict[str, bytes]:
    return {name: (site.net_d / name).read_bytes() for name in site.names()}


def test_a_link_of_the_node_is_followed_below_its_root(site: Site) -> None:
    """/etc/cni/net.d of some distributions is a link with an absolute target, which is the node's."""
    real = site.root / "var/lib/net.d"
    real.parent.mkdir(parents=True)
    site.net_d.rename(real)
    site.net_d.symlink_to("/var/lib/net.d")
    (real / "10-calico.conflist").write_text(primary("10-calico.conflist"))
    assert apply(site).path == f"{NET_D}/00-multus.conf"
    assert (real / "00-multus.conf").exists()
    with pytest.raises(CniError):
        apply(site, conf_dir="/nowhere")
    assert MARKER in json.loads((real / "00-multus.conf").read_text())
