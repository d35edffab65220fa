"""SECURITY.md's lines, by their numbers, and the tests that hold each.

`python -m tests.security.threats` writes the last column of the document's tables from it, runs these tests, and keeps
what came of them for FAULTS.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests.named import TESTS, outline

DOCUMENT = TESTS.parent / "SECURITY.md"
LINE = re.compile(r"^\| (T\d+) \| (.+) \| ([^|]*) \|$", re.MULTILINE)
"""A line of a table: its number, who writes what and what stops it, and the files of its tests."""

TABLE = """
T1
  security/test_injection.py::test_an_annotation_forges_nothing
  security/test_injection.py::test_an_interface_of_any_name_that_the_kernel_takes
  cni/test_environment.py::test_a_name_is_never_a_path
  test_deviceinfo.py::test_any_name_stays_in_the_directory
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
T2
  kubernetes/test_networks.py::test_isolation_holds_for_every_way_of_naming_a_network
T3
  kubernetes/test_devices.py::test_a_device_that_the_kubelet_gave_to_another_pod_is_refused
  podresources/test_devices.py::test_a_device_of_the_kubelet_s_is_claimed_once
T4
  security/test_excess.py::test_what_is_too_much_is_refused_by_a_limit_that_is_told
  security/test_excess.py::test_as_many_networks_as_a_pod_may_have
  selection/test_fuzz.py::test_the_largest_texts_take_no_longer_than_they_must
T5
  security/test_injection.py::test_an_annotation_forges_nothing
  multus/test_log.py::test_what_a_terminal_would_act_on_is_not_written
  multus/test_log.py::test_a_message_of_many_lines_is_one_line
  events/test_event.py::test_a_message_is_no_longer_than_the_api_takes
  cli/ipam/test_node.py::test_control_characters_do_not_reach_the_terminal
T6
  security/test_confined.py::test_any_other_place_is_refused_by_its_path
  security/test_confined.py::test_the_plugins_own_places_may_be_named
  security/test_confined.py::test_the_nodes_configuration_allows_more
  security/test_confined.py::test_the_directories_are_those_that_the_plugins_have
  security/test_confined.py::test_no_other_key_of_a_plugin_names_a_file
T7
  security/test_confined.py::test_a_definition_in_a_file_of_the_node_may_name_anything
  security/test_confined.py::test_definitions_in_files_are_the_nodes
T8
  security/test_programs.py::test_a_type_is_no_way_out_of_the_directories
  test_delegate.py::test_a_type_that_is_no_name_is_refused
T9
  security/test_programs.py::test_no_shell_reads_what_a_definition_says
  plugins/test_firewall.py::test_an_unknown_policy_or_backend_is_refused_before_anything_is_done
  plugins/test_portmap_conditions.py::test_what_is_not_known_is_refused_by_its_name
  linux/test_nftables.py::test_names_and_comments_of_any_length_are_cut_not_refused
T10
  linux/test_settings.py::test_a_key_outside_is_refused
  linux/test_sysctl.py::test_a_name_that_leads_elsewhere
  linux/test_devices.py::test_a_kernel_path_leads_nowhere_else
  linux/test_devices.py::test_what_is_no_name_never_becomes_a_path
T11
  security/test_excess.py::test_what_is_too_much_is_refused_by_a_limit_that_is_told
  security/test_excess.py::test_a_range_of_any_size_costs_what_is_taken_of_it
  kubernetes/test_crashes.py::test_more_than_a_record_holds_is_refused_before_anything_is_attached
T12
  security/test_injection.py::test_a_definition_forges_nothing
  kubernetes/test_crashes.py::test_definitions_that_crash_the_go_one
T13
  cli/test_execcredential.py::test_a_pod_s_request_runs_nothing
T14
  cni/test_environment.py::test_any_environment_is_answered_with_one_document
  cni/test_environment.py::test_our_own_namespace_is_refused_before_the_plugin_is_called
T15
  security/test_environment.py::test_no_variable_leads_anywhere_else
  security/test_environment.py::test_nor_do_the_operators_commands_load_anything
  security/test_environment.py::test_a_link_to_the_program_brings_nothing_of_its_directory
T16
  security/test_environment.py::test_the_program_is_not_setuid
T17
  binary/test_surroundings.py::test_a_program_that_is_executed_sees_the_runtimes_environment_alone
  binary/test_surroundings.py::test_a_library_path_of_the_runtimes_own_is_passed_on
  test_program.py::test_nothing_of_ours_is_inherited_but_the_three_streams
T18
  test_program.py::test_what_hangs_is_killed_with_all_its_children
  test_program.py::test_what_prints_without_bound_is_killed
  test_delegate.py::test_an_add_without_a_proper_result_has_failed
  test_delegate.py::test_what_was_printed_instead_is_quoted_in_part
T19
  security/test_programs.py::test_a_program_that_every_user_may_change_is_not_executed
  security/test_programs.py::test_a_directory_in_which_everybody_keeps_his_own_is_no_danger
T20
  security/test_links_planted.py::test_a_link_in_the_place_of_any_file_is_not_followed
  security/test_links_planted.py::test_a_link_in_the_place_of_what_is_being_written_is_not_followed
  test_deviceinfo.py::test_no_link_is_followed_from_the_attachment_s_name
  test_deviceinfo.py::test_no_link_is_followed_from_the_device_plugin_s_name
  test_deviceinfo.py::test_no_link_is_followed_from_the_directory_s_name
  events/test_spool.py::test_what_is_no_file_goes_or_stays_and_is_in_nobodys_way
  nodes/test_publish.py::test_a_link_in_our_place_is_not_followed
T21
  security/test_modes.py::test_nothing_is_anybody_elses_for_an_instant
  security/test_modes.py::test_a_log_that_is_full_is_nobody_elses_while_it_is_packed
  events/test_spool.py::test_an_event_is_one_file_that_only_root_reads
T22
  multus/test_journal.py::test_a_bit_that_flips_is_noticed
  multus/test_journal.py::test_a_record_in_the_file_of_another_sandbox_is_not_its_own
  ipam/test_host_local_upkeep.py::test_an_owner_s_line_that_lies_removes_nothing_of_another
  nodes/test_publish.py::test_a_forged_marker_moves_nothing_outside_of_its_directory
  test_deviceinfo.py::test_a_path_from_elsewhere_is_left_alone
T23
  kube/test_tls.py::test_a_server_that_nobody_vouches_for_never_sees_the_token
  kube/test_tls.py::test_a_certificate_for_another_name_is_not_trusted
T24
  security/test_clear_text.py::test_a_token_is_sent_in_clear_to_no_other_host
  security/test_clear_text.py::test_a_proxy_on_this_host_may_have_it
T25
  kube/test_answers.py::test_what_is_no_answer_is_one_clear_error
  kubernetes/test_hostile.py::test_every_status_has_its_code
T26
  kubernetes/test_hostile.py::test_any_answer
  kubernetes/test_hostile.py::test_a_definition_that_is_none_is_refused
  kubernetes/test_hostile.py::test_a_pod_that_is_none_is_refused
  kubernetes/test_hostile.py::test_connections_of_a_bad_day
T27
  security/test_secrets.py::test_no_request_tells_how_it_is_known
  security/test_secrets.py::test_no_command_tells_what_a_program_gave_it
  security/test_secrets.py::test_no_dry_run_and_no_installation_shows_the_token
  kube/test_answers.py::test_a_server_that_repeats_our_token_does_not_make_us_tell_it
  kube/test_kubeconfig.py::test_nothing_that_has_secrets_shows_them
  cli/test_execcredential.py::test_what_is_no_credential_is_told_and_not_shown
T28
  kubernetes/test_rights.py::test_a_pods_whole_life_takes_all_rights_and_no_other
  deploy/test_rights.py::test_the_account_may_do_what_is_used_and_nothing_else
T29
  linux/test_exclusion.py::test_who_has_waited_long_enough_goes_on
  multus/test_logfile.py::test_a_lock_that_is_never_released_holds_up_no_pod
  podresources/test_hostile.py::test_an_answer_without_end_takes_no_memory
T30
  plugins/test_portmap_packets.py::test_what_is_sent_to_localhost_from_outside_is_dropped
T31
  security/test_races.py::test_whatever_a_pod_does_meanwhile_the_node_keeps_nothing_and_loses_nothing
  multus/test_group.py::test_a_link_that_the_container_renamed_goes_too
T32
  multus/test_group.py::test_a_link_of_another_kind_with_our_name_stays
  multus/test_delete.py::test_another_pods_namespace_at_the_path_is_left_alone
T33
  plugins/test_bridge_order.py::test_the_check_of_its_mac_stands_before_a_port_is_up
  plugins/test_bridge_order.py::test_a_port_is_isolated_before_it_is_up
  plugins/test_bridge_order.py::test_a_port_is_in_its_vlan_before_it_is_up
T34
  binary/test_supply.py::test_every_package_is_in_it_as_it_is_pinned
  binary/test_supply.py::test_every_library_is_in_it
  binary/test_supply.py::test_nothing_names_the_machine_that_built_it
"""


def threats() -> dict[str, list[str]]:
    """The number of each line, and its tests."""
    found: dict[str, list[str]] = {}
    for depth, text in outline(TABLE):
        if depth == 0:
            assert text not in found, text
            found[text] = []
        else:
            found[list(found)[-1]].append(text)
    return found


def said(text: str) -> dict[str, tuple[str, str]]:
    """What the document says: of each number its line, and its last column."""
    found: dict[str, tuple[str, str]] = {}
    for number, line, tests in LINE.findall(text):
        assert number not in found, number
        found[number] = (line, tests)
    return found


def column(tests: list[str]) -> str:
    """The files of these tests, as links."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return ", ".join(f"[{Path(file).stem.removeprefix('test_')}](tests/{file})" for file in files)


def written(text: str) -> str:
    """The document with its last columns as they should be."""
    tests = threats()
    return LINE.sub(lambda found: f"| {found[1]} | {found[2]} | {column(tests.get(found[1], []))} |", text)


FOUND = (
    "A definition of the API could have root keep state in, read, or take its credentials from any file of the node.",
    "An annotation's `deviceID` took a device that the kubelet had given to another pod, resource or not.",
    "Ten thousand ranges in one definition cost the node 48 s of a processor for each pod: compared each with each.",
    "A program in a plugin directory was executed though every user of the node could replace it.",
    "A token was sent in clear text wherever a kubeconfig's `http://` led.",
    "A token that a server repeated as the name or the kind of an object was told in the error, and in the log.",
    "With a umask of 0 anybody could write to the log's directory, and for an instant to that of device-info.",
    "A log that was just being packed could be read by everybody for an instant.",
)
"""What the work on these lines found in the program, and is mended."""


def failed(tests: list[str]) -> set[str]:
    """Those of the tests that do not pass, run now."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n2", "--dist=worksteal", f"--junitxml={report}"]
        subprocess.run([*command, *(f"tests/{test}" for test in tests)], cwd=TESTS.parent, check=False)
        passed: dict[str, bool] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            file = case.attrib["classname"].removeprefix("tests.").replace(".", "/")
            test = f"{file}.py::{case.attrib['name'].partition('[')[0]}"
            passed[test] = passed.get(test, True) and len([each for each in case if each.tag != "properties"]) == 0
    return {test for test in tests if not passed.get(test)}


def main() -> None:
    """Write the columns, run the tests, and keep what came of them for the table of results."""
    from tests.faults.results import Row, write

    DOCUMENT.write_text(written(DOCUMENT.read_text()))
    broken = failed(sorted({test for tests in threats().values() for test in tests}))
    rows = []
    for title, numbers in parts(DOCUMENT.read_text()).items():
        tests = {test for number in numbers for test in threats()[number]}
        rows.append(Row(title, len(numbers), {"tests that pass": len(tests - broken)}, len(tests & broken)))
    write("h-threats", "Threats: lines of SECURITY.md, and their tests", rows, held="", found=FOUND)


def parts(text: str) -> dict[str, list[str]]:
    """The headings over the tables, and the numbers below each."""
    found: dict[str, list[str]] = {}
    for part in text.split("\n### ")[1:]:
        found[part.partition("\n")[0].partition(":")[0]] = [number for number, _, _ in LINE.findall(part)]
    return found


if __name__ == "__main__":
    main()
