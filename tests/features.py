"""Multus's 120 features, thin and thick: the tests that hold each of them here, or why there are none.

`python -m tests.features` (make features) writes FEATURES.md from it; at the end of a test run `tests/proved.py` says
what the run has proved of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.named import outline

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "FEATURES.md"
ROWS = 120

NOT_YET, NEVER = "not yet: ", "does not apply: "

TABLE = """
1 the verb VERSION
  binary/test_requests.py::test_every_name_tells_its_versions
  test_main.py::test_every_name_tells_its_versions
2 called without a verb: who it is, status 0
  binary/test_requests.py::test_without_any_environment_it_is_the_command_line
3 a bad or missing variable: code 4
  binary/test_requests.py::test_a_bad_environment_is_one_error
  cni/test_environment.py::test_all_that_is_missing_is_told_at_once
  cni/test_environment.py::test_an_interface_name_that_the_kernel_would_not_take_is_refused
4 a network without name, or with a bad one: code 7
  binary/test_requests.py::test_garbage_on_standard_input_is_one_error
  multus/test_plan.py::test_a_bad_name_is_refused_by_every_verb
5 an unknown cniVersion: code 1
  multus/test_plan.py::test_an_unknown_version_is_refused
6 errors carry cniVersion
  cni/test_conversation.py::test_an_error_speaks_the_version_of_the_configuration
  cni/test_conversation.py::test_an_error_speaks_it_as_soon_as_it_is_known
  binary/test_requests.py::test_garbage_on_standard_input_is_one_error
  binary/test_requests.py::test_a_bad_environment_is_one_error
7 the result is in the configuration's cniVersion
  multus/test_add.py::test_a_delegates_older_result_is_told_in_the_configurations_version
  multus/test_add.py::test_the_result_is_told_in_the_configurations_version
8 a delegate that is one plugin
  multus/test_add.py::test_a_single_delegate_becomes_the_pods_own_interface
9 a delegate that is a list, with prevResult handed on
  multus/test_add.py::test_a_chain_hands_each_result_to_the_next_plugin
10 several delegates: net1, net2, ...
  multus/test_add.py::test_several_delegates_become_eth0_net1_and_net2
11 clusterNetwork is a NAD
  kubernetes/test_cluster_network.py::test_it_is_a_definition_of_the_systems_namespace
12 clusterNetwork is a configuration's name, and no event complains
  kubernetes/test_cluster_network.py::test_it_is_a_configuration_of_the_node_and_nobody_complains
  multus/test_cluster_network.py::test_it_is_named_as_it_names_itself
13 clusterNetwork is a directory
  multus/test_cluster_network.py::test_of_a_directory_the_first_configuration_counts
14 clusterNetwork is a file
  multus/test_cluster_network.py::test_it_is_a_file
15 plugins in the directory beside a list's file
  multus/test_cluster_network.py::test_plugins_of_a_lists_own_directory_follow_its_own
16 defaultNetworks, before those of the annotation
  kubernetes/test_cluster_network.py::test_default_networks_come_before_those_that_the_pod_asks_for
17 systemNamespaces: no defaultNetworks
  kubernetes/test_cluster_network.py::test_pods_of_the_systems_namespaces_have_the_clusters_network_alone
18 systemNamespaces: no network-status, unless the pod asks for a network
  kubernetes/test_cluster_network.py::test_pods_of_the_systems_namespaces_have_the_clusters_network_alone
  kubernetes/test_outages.py::test_pods_of_the_systems_namespaces_are_left_alone_unless_they_ask
19 networks annotation, shorthand
  kubernetes/test_networks.py::test_a_pod_gets_the_networks_that_it_names
  kubernetes/test_wishes.py::test_shorthand_names_namespaces_and_interfaces
  selection/test_shorthand.py::test_items_are_read
20 networks annotation, JSON
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
  selection/test_elements.py::test_every_key_is_read
21 names with dots in the shorthand
  kubernetes/test_wishes.py::test_names_may_have_dots_and_lists_a_comma_at_the_end
  selection/test_shorthand.py::test_items_are_read
22 a comma at the end
  kubernetes/test_wishes.py::test_names_may_have_dots_and_lists_a_comma_at_the_end
  selection/test_broken.py::test_trailing_commas_are_understood
23 namespace/name as the name in JSON
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
  selection/test_elements.py::test_a_namespace_may_stand_in_the_name
24 a malformed annotation is one error
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
  kubernetes/test_crashes.py::test_annotations_that_crash_the_go_one
  selection/test_fuzz.py::test_what_crashes_or_misleads_the_go_one
  selection/test_fuzz.py::test_any_json_with_something_in_it
25 an interface's name is asked for
  kubernetes/test_networks.py::test_a_pod_gets_the_networks_that_it_names
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
26 its name is looked at before the first attachment
  kubernetes/test_wishes.py::test_an_interfaces_name_is_judged_before_any_program_runs
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
27 so is whether two are called the same
  kubernetes/test_wishes.py::test_an_interfaces_name_is_judged_before_any_program_runs
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
28 so is whether one is called like the primary's, which stays
  kubernetes/test_wishes.py::test_an_interfaces_name_is_judged_before_any_program_runs
  multus/test_plan.py::test_an_eth0_that_somebody_else_made_survives
29 an interface that the sandbox has already is refused
  multus/test_plan.py::test_an_interface_that_exists_is_refused_before_the_first_attachment
30 an address is asked for: capability ips
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
  kubelet/test_networks.py::test_addresses_and_a_mac_that_are_asked_for
31 a MAC is asked for: capability mac, and CNI_ARGS
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
  kubelet/test_networks.py::test_addresses_and_a_mac_that_are_asked_for
32 a GUID of InfiniBand is asked for: 8 bytes, no fewer
  kubernetes/test_wishes.py::test_a_guid_and_a_device_reach_the_plugin
  selection/test_elements.py::test_guids_have_three_forms
  selection/test_elements.py::test_bad_values_are_refused
33 portMappings of an attachment, the same on DEL
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
34 bandwidth of an attachment, the same on DEL
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
35 cni-args, also where args is no object
  kubernetes/test_networks.py::test_what_is_asked_for_in_json_is_given
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
36 deviceID of an element
  kubernetes/test_wishes.py::test_a_guid_and_a_device_reach_the_plugin
37 the runtime's capabilities are passed on
  multus/test_add.py::test_any_capability_reaches_a_plugin_that_asks_for_it
  multus/test_add.py::test_what_the_runtime_means_for_the_pods_interface_stays_there
38 any of them
  multus/test_add.py::test_any_capability_reaches_a_plugin_that_asks_for_it
39 the pod's host ports are for its primary network
  multus/test_add.py::test_what_the_runtime_means_for_the_pods_interface_stays_there
40 CNI_ARGS that nobody knows are passed on, once
  multus/test_add.py::test_cni_args_are_passed_on_whole
  multus/test_add.py::test_an_address_or_mac_of_cni_args_is_for_the_primary_alone
41 a value of CNI_ARGS with '=' in it
  multus/test_add.py::test_cni_args_are_passed_on_whole
42 the runtime's CNI_PATH counts
  multus/test_add.py::test_programs_see_the_plugins_directory_before_the_runtimes
43 default-network annotation
  kubernetes/test_networks.py::test_the_default_network_takes_the_place_of_the_clusters
44 isolation holds for it as well
  kubernetes/test_networks.py::test_isolation_holds_for_every_way_of_naming_a_network
45 a default-network of []
  kubernetes/test_networks.py::test_an_empty_wish_for_a_default_network_is_none
  kubernetes/test_crashes.py::test_annotations_that_crash_the_go_one
46 default-route, IPv4
  multus/test_default_route.py::test_a_pod_has_the_default_route_that_it_asks_for
  kubelet/test_networks.py::test_a_default_route_that_moves
  test_defaultroute.py::test_all_others_go_and_come_back
47 default-route, IPv6
  multus/test_default_route.py::test_a_pod_has_the_default_route_that_it_asks_for
  test_defaultroute.py::test_all_others_go_and_come_back
48 default-route leaves the other family alone
  multus/test_default_route.py::test_check_and_status_agree_with_the_kernel
49 a default-route that cannot be leaves nothing attached
  multus/test_default_route.py::test_a_default_route_that_cannot_be_leaves_nothing_attached
  test_defaultroute.py::test_what_cannot_be_is_told_and_changes_nothing
50 two gateways of a family are refused
  multus/test_default_route.py::test_a_default_route_that_cannot_be_leaves_nothing_attached
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
  test_defaultroute.py::test_one_gateway_of_each_family_is_all_there_can_be
51 network-status is written
  kubernetes/test_networks.py::test_a_pod_gets_the_networks_that_it_names
  kubelet/test_networks.py::test_two_networks_and_what_is_said_of_them
52 network-status of a result without interfaces
  kubernetes/test_wishes.py::test_every_shape_of_result_has_its_entries
  multus/test_entries.py::test_a_result_without_interfaces_still_has_its_entry
53 network-status of a result with several interfaces
  kubernetes/test_wishes.py::test_every_shape_of_result_has_its_entries
  multus/test_entries.py::test_several_interfaces_have_an_entry_each
54 network-status: mtu, device-info, dns, gateway
  kubernetes/test_wishes.py::test_every_shape_of_result_has_its_entries
  kubelet/test_networks.py::test_two_networks_and_what_is_said_of_them
  kubelet/test_devices.py::test_what_the_device_plugin_tells_of_a_device
  multus/test_entries.py::test_gateways_are_those_of_default_routes
55 network-status shows where default-route leads
  multus/test_default_route.py::test_check_and_status_agree_with_the_kernel
  kubelet/test_networks.py::test_a_default_route_that_moves
56 a network-status that cannot be written leaves nothing attached
  kubernetes/test_outages.py::test_a_status_that_cannot_be_written_leaves_nothing
57 network-status is one PATCH
  kubernetes/test_outages.py::test_an_add_asks_for_the_pod_and_for_each_definition_once
58 the older networks-status, where the node says so
  kubernetes/test_networks.py::test_the_status_is_read_by_older_tools_where_the_node_says_so
59 AddedInterface events, none lost
  kubernetes/test_binary.py::test_fifty_pods_and_fifty_events
  events/test_detached.py::test_fifty_requests_and_fifty_events
60 events about a bad annotation, and about isolation
  kubernetes/test_networks.py::test_what_cannot_be_is_told_before_anything_is_attached
  kubernetes/test_networks.py::test_isolation_holds_for_every_way_of_naming_a_network
  kubelet/test_cases.py::test_a_pod_may_not_name_networks_of_other_namespaces
61 a NAD with a configuration
  kubernetes/test_networks.py::test_a_pod_gets_the_networks_that_it_names
62 a NAD whose configuration has no name
  kubernetes/test_networks.py::test_a_definition_may_name_its_network_or_leave_it_to_the_node
63 a NAD without spec: the node's file of that name
  kubernetes/test_networks.py::test_a_definition_may_name_its_network_or_leave_it_to_the_node
64 another file beside it that is broken
  kubernetes/test_networks.py::test_a_definition_may_name_its_network_or_leave_it_to_the_node
  cli/test_confdir.py::test_a_broken_file_of_another_network_is_passed_over
65 a NAD of null, or without plugins
  kubernetes/test_wishes.py::test_a_definition_of_nothing_is_one_error
  kubernetes/test_crashes.py::test_definitions_that_crash_the_go_one
  nads/test_definitions.py::test_what_crashes_or_misleads_the_go_one
66 NADs of one name in two namespaces are two networks
  kubernetes/test_networks.py::test_definitions_of_one_name_in_two_namespaces_are_two_networks
67 namespaceIsolation and globalNamespaces
  kubernetes/test_wishes.py::test_isolation_leaves_a_pod_its_own_and_the_global_namespaces
  kubernetes/test_networks.py::test_isolation_holds_for_every_way_of_naming_a_network
68 devices by the kubelet's socket
  kubelet/test_devices.py::test_each_attachment_has_a_device_of_its_own
  podresources/test_devices.py::test_devices_are_handed_out_once_in_lexical_order
69 devices by the kubelet's checkpoint
  kubernetes/test_devices.py::test_the_checkpoint_serves_where_no_kubelet_listens
  podresources/test_devices.py::test_the_checkpoint_serves_where_no_kubelet_listens
70 devices of DRA
  not yet: what the kubelet says of dynamic resources is passed over, and nobody reads ResourceClaims and -Slices
71 a device that is missing is an error
  kubelet/test_devices.py::test_a_pod_without_the_device_that_its_network_wants
  podresources/test_devices.py::test_a_missing_resource_is_an_error
72 a device is used once, by the default network or another
  kubernetes/test_devices.py::test_the_default_network_and_another_share_no_device
  kubelet/test_devices.py::test_one_device_is_not_given_twice
73 device-info files come and go
  kubelet/test_devices.py::test_what_the_device_plugin_tells_of_a_device
  test_deviceinfo.py::test_a_file_is_handed_over_read_and_removed
74 what is on record survives a crash
  multus/test_journal.py::test_a_damaged_record_is_made_up_for_by_the_configuration
  multus/test_journal.py::test_a_record_cut_short_is_made_up_for
  multus/test_takeover.py::test_a_scratch_file_that_was_cut_is_made_up_for_by_the_cache
  multus/test_kill.py::test_after_a_killed_add_a_del_leaves_nothing
75 an ADD whose second delegate fails is taken back
  multus/test_rollback.py::test_a_program_that_fails_takes_everything_back
  multus/test_rollback.py::test_what_is_found_late_takes_everything_back
76 a failed ADD leaves no record
  multus/test_rollback.py::test_a_program_that_fails_takes_everything_back
  multus/test_takeover.py::test_what_its_failed_add_left_is_cleared
77 DEL without the API
  kubernetes/test_wishes.py::test_a_pod_ends_whatever_the_server_answers
  kubernetes/test_outages.py::test_an_add_asks_for_the_pod_and_for_each_definition_once
  kubernetes/test_outages.py::test_a_kubeconfig_that_is_gone_keeps_no_pod_from_ending
  kubelet/test_disturbances.py::test_the_api_server_is_away_while_a_pod_is_deleted
78 DEL goes backwards and attempts all
  multus/test_delete.py::test_all_are_attempted_backwards_and_all_failures_told
79 DEL tells what failed
  multus/test_delete.py::test_all_are_attempted_backwards_and_all_failures_told
80 DEL while the daemon is down
  not yet: there is no resident agent whose absence could matter; every DEL is whole by itself
81 DEL twice
  multus/test_delete.py::test_twice_succeeds_twice
  binary/test_requests.py::test_a_pod_with_three_networks_from_add_to_del
82 DEL without CNI_NETNS
  multus/test_delete.py::test_without_a_namespace_the_recorded_one_is_cleared_if_it_lives
  multus/test_delete.py::test_a_namespace_that_is_gone_needs_no_clearing
83 retryDeleteOnError
  multus/test_delete.py::test_with_retry_delete_on_error_it_is_told_every_time
  multus/test_delete.py::test_a_program_that_is_gone_is_told_once
84 a pod that is gone before its ADD
  kubernetes/test_wishes.py::test_a_pod_that_is_gone_is_one_error_in_any_version
  kubernetes/test_outages.py::test_a_pod_that_is_gone_gets_nothing
85 another UID is refused, but of static pods
  kubernetes/test_outages.py::test_a_pod_of_the_same_name_is_another_one
  kubernetes/test_outages.py::test_a_static_pod_has_another_uid_than_its_mirror
  kubelet/test_lives.py::test_a_pod_that_only_the_node_knows
86 an API server that takes seconds
  kubernetes/test_outages.py::test_a_server_that_takes_two_seconds_is_waited_for
87 503 is tried again
  kubernetes/test_wishes.py::test_a_server_that_is_not_ready_is_asked_again
  kube/test_repeating.py::test_reading_is_repeated
88 401: the credentials are read again
  kubernetes/test_outages.py::test_a_token_that_was_replaced_is_read_again
  kube/test_session.py::test_a_rotated_token_is_read_again_once
89 CHECK of the primary network
  multus/test_cluster_network.py::test_a_program_is_checked_wherever_its_network_is_named
  multus/test_check.py::test_a_change_is_found_and_its_network_named
90 CHECK of the others
  multus/test_check.py::test_a_change_is_found_and_its_network_named
  multus/test_check.py::test_all_differences_are_named
91 STATUS asks the delegates, and keeps their codes
  multus/test_status.py::test_a_programs_own_code_is_passed_on
  multus/test_cluster_network.py::test_its_program_tells_the_status
92 STATUS of a node that is not ready is quick
  multus/test_status.py::test_a_missing_readiness_file_is_told_at_once
93 GC keeps what is valid, and removes all else
  multus/test_garbage.py::test_an_empty_list_leaves_nothing
  multus/test_garbage.py::test_what_is_valid_stays_whole
94 GC of other networks, records and device-info files
  kubernetes/test_devices.py::test_garbage_collection_takes_networks_of_annotations_and_files_of_devices
  multus/test_garbage.py::test_what_is_valid_stays_whole
  multus/test_garbage_caution.py::test_empty_records_of_killed_requests_go
  multus/test_garbage_caution.py::test_pods_of_the_go_multus_are_collected_and_kept
95 readinessindicatorfile
  multus/test_status.py::test_add_waits_for_the_readiness_file
96 auxiliaryCNIChainName
  multus/test_cluster_network.py::test_the_auxiliary_chain_follows_it
  multus/test_cluster_network.py::test_an_auxiliary_chain_that_cannot_be_is_refused
97 delegates in a chroot
  does not apply: a daemon in a container needs it; this program runs on the node, where delegates belong
98 log file and its rotation
  multus/test_log.py::test_three_megabytes_are_rotated_where_one_is_allowed
  multus/test_log.py::test_a_file_gets_what_standard_error_gets
  multus/test_logfile.py::test_a_full_file_is_moved_and_compressed
  multus/test_logfile.py::test_as_many_backups_are_kept_as_asked_for
99 logs as JSON
  multus/test_log.py::test_lines_of_json_have_everything_under_its_name
  multus/test_log.py::test_a_failure_in_json_has_code_and_message
100 metrics endpoint
  nodes/test_watch.py::test_an_edit_is_followed_at_once
  nodes/test_watch.py::test_a_second_one_that_comes_first_is_taken
101 latency and failures per verb and network
  not yet: the metrics endpoint is that of the process which keeps the configuration; requests are not counted
102 health and readiness endpoints
  nodes/test_watch.py::test_a_primary_is_waited_for_and_that_is_said_again_and_again
  nodes/test_watch.py::test_a_broken_primary_leaves_the_last_good_one
103 profiling, opt-in
  not yet: nobody has asked for it of the process that keeps the configuration
104 many requests at once are bounded
  binary/test_memory.py::test_two_hundred_requests_at_once_are_small
  multus/test_concurrency.py::test_many_pods_come_and_go_at_once
105 other networks side by side
  multus/test_add.py::test_five_programs_of_a_second_take_about_a_second
106 networks for a pod that runs
  not yet: it takes a resident agent that sees annotations change
107 configuration that makes itself
  nodes/test_generate.py::test_the_configuration_has_the_primarys_version_and_capabilities
  nodes/test_pods.py::test_a_pod_gets_the_primarys_network
  nodes/test_pods.py::test_the_entrypoints_options_mean_the_same
108 configuration written whole, the last good one kept
  nodes/test_publish.py::test_a_change_that_is_killed_is_finished_by_the_next
  nodes/test_watch.py::test_a_broken_primary_leaves_the_last_good_one
  nodes/test_looks.py::test_whatever_happens_it_comes_right_in_the_end
109 configuration follows the primary's
  nodes/test_watch.py::test_an_edit_is_followed_at_once
  nodes/test_watch.py::test_capabilities_that_go_are_taken_away
  nodes/test_watch.py::test_another_file_in_its_place_is_taken_once_that_lasts
  nodes/test_watch.py::test_a_second_one_that_comes_first_is_taken
110 own configuration put back where somebody removed it
  nodes/test_watch.py::test_ours_is_restored_when_cilium_hides_it_and_that_has_a_limit
  nodes/test_looks.py::test_it_is_restored_ten_times_and_then_once_a_minute
111 cleaned up when it ends
  nodes/test_watch.py::test_the_configuration_goes_at_the_end_only_where_that_is_asked_for
  nodes/test_watch.py::test_a_primary_is_renamed_again_when_it_comes_again
112 uninstalled without a trace
  nodes/test_uninstall_pods.py::test_pods_of_every_time_start_and_stop
  nodes/test_uninstall_pods.py::test_a_node_without_attachments_is_left_at_once
  rollout/test_life.py::test_it_joins_a_node_is_rolled_out_and_leaves
113 the token of the node's kubeconfig is refreshed
  nodes/test_watch.py::test_a_renewed_token_is_on_the_node_at_once
114 client certificates per node
  not yet: there is no installer that would ask for them
115 approver of certificate requests
  not yet: nobody asks for certificates yet
116 installer's exit status
  nodes/test_install.py::test_what_is_no_program_is_refused
  nodes/test_install.py::test_the_command_line_says_what_it_does_as_json
117 configuration that the user provides
  nodes/test_watch.py::test_an_operators_file_is_followed_and_the_process_stays
  nodes/test_generate.py::test_an_operators_file_is_checked
118 nobody's files are removed with the daemon's socket
  not yet: there is no resident agent, and no socket
119 no more rights than are needed
  kubernetes/test_rights.py::test_a_pods_whole_life_takes_all_rights_and_no_other
  kubernetes/test_outages.py::test_an_account_without_the_right_to_write_the_status_is_told
120 NADs that are broken are refused when they are made
  not yet: the schema wants a text, and nobody looks into it before a pod does, unless `multus lint` is asked
"""
"""A number and what it is about; below it the tests that prove it, or one line that says why there are none."""


PREAMBLE = """\
What the Go Multus 4 can do, as a program that runs once for each request (thin) or as a daemon (thick), and what its
users miss in it. `make features` makes this from `tests/features.py`; `make test` ends with what that run has proved
of it.
"""


class Feature(NamedTuple):
    """A row; `reason` is where it has no tests, and begins with NOT_YET or NEVER."""

    number: int
    what: str
    tests: tuple[str, ...]
    reason: str

    @property
    def state(self) -> str:
        """In a word or three."""
        return (NOT_YET if self.reason.startswith(NOT_YET) else NEVER if self.reason else "done and tested").strip(": ")


def features() -> list[Feature]:
    """The table, in its order."""
    found: list[Feature] = []
    for depth, text in outline(TABLE):
        if depth == 0:
            number, _, what = text.partition(" ")
            found.append(Feature(int(number), what, (), ""))
        elif text.startswith((NOT_YET, NEVER)):
            found[-1] = found[-1]._replace(reason=text)
        else:
            found[-1] = found[-1]._replace(tests=(*found[-1].tests, text))
    return found


def count(rows: list[Feature]) -> str:
    """How many there are of each state."""
    states = [row.state for row in rows]
    return ", ".join(
        [
            f"{states.count('done and tested')} of {len(rows)} done and tested",
            f"{states.count('not yet')} not yet",
            *([f"{states.count('does not apply')} that cannot apply"] if "does not apply" in states else []),
        ]
    )


def document(rows: list[Feature]) -> str:
    """FEATURES.md."""
    tests = {test for row in rows for test in row.tests}
    lines = [
        "# Features of Multus, and where they are here",
        "",
        f"{count(rows)}. {len(tests)} tests prove it.",
        "",
        PREAMBLE,
        "| # | feature | state | tests, or why not |",
        "|--:|---|---|---|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Feature) -> str:
    why = row.reason.partition(": ")[2] if row.reason else ", ".join(map(_link, row.tests))
    cells = [str(row.number), row.what, row.state, why]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](tests/{path})"


if __name__ == "__main__":
    DOCUMENT.write_text(document(features()))
