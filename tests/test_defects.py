"""What the Go plugins (1.9.1) and Whereabouts (0.9.3) do wrong, and the tests that pin what is done here instead."""

from __future__ import annotations

import pytest

from cni_multus.registry import MODULES
from tests.named import is_there, outline

TABLE = """
any
  DEL fails for ever where the namespace's path is a file that is no namespace
    plugins/test_delete.py::test_the_namespace_is_not_needed
    plugins/test_delete.py::test_the_file_that_a_namespace_was_mounted_on_is_not_one
    chains/test_degraded.py::test_nothing_is_left
  IPv6 addresses without a gateway are handed over while they cannot be used yet
    plugins/test_ipv6.py::test_nothing_waits_for_duplicate_detection
    plugins/test_ipv6.py::test_enabledad_waits_until_addresses_can_be_used
  a second or two for duplicates is waited for in every pod with IPv6
    plugins/test_ipv6.py::test_nothing_waits_for_duplicate_detection
    plugins/test_ptp.py::test_a_pod_does_not_wait_for_duplicates
  a route on the link gets a gateway, and is refused; mtu and advmss of routes are passed over
    plugins/test_routes.py::test_a_route_is_made_as_ipam_tells_it
  a route that is told twice fails the ADD
    plugins/test_routes.py::test_a_route_that_is_told_twice_is_made_once
  the last interface's IPv4 default takes over, IPv6 defaults become one of several ways
    plugins/test_routes.py::test_the_default_of_a_second_interface_does_not_take_over
    plugins/test_routes.py::test_eight_interfaces_with_a_default_each_leave_it_to_the_first
  a router on the link adds addresses and routes to what IPAM gave
    plugins/test_ipv6.py::test_a_router_on_the_link_adds_nothing_to_what_ipam_gave
  CHECK looks into the main table alone: it fails after sbr, with /32, and with routes in tables
    plugins/test_check.py::test_routes_that_were_moved_to_another_table_are_no_difference
    plugins/test_check.py::test_an_address_without_a_network_is_no_difference
    plugins/test_routes.py::test_a_route_is_made_as_ipam_tells_it
  CHECK wants addresses of other interfaces on its own
    plugins/test_check.py::test_addresses_of_another_interface_are_no_matter
  CHECK takes any default route for the one that was made, and passes over table, metric and scope
    plugins/test_routes.py::test_check_finds_a_route_that_was_changed
    plugins/test_routes.py::test_a_route_by_another_interface_is_not_the_one
  an ADD that fails leaves links, addresses and rules
    plugins/test_rollback.py::test_a_route_that_the_kernel_refuses
    plugins/test_rollback.py::test_what_was_made_is_as_it_was_before_a_failure
    chains/test_rollback.py::test_a_program_that_fails_anywhere
    chains/test_rollback.py::test_a_plugin_that_refuses
  malformed CNI_ARGS, or a configuration that became wrong, fail DEL
    plugins/test_delete.py::test_arguments_that_add_would_refuse_are_no_matter
    plugins/test_delete.py::test_values_that_add_would_refuse_are_no_matter
    chains/test_degraded.py::test_a_runtime_may_have_forgotten
  no plugin collects garbage, and none passes it on to IPAM
    plugins/test_status.py::test_garbage_collection_reaches_ipam
    plugins/test_status.py::test_garbage_collection_removes_ports_of_nobody
    chains/test_garbage.py::test_what_is_stale_goes_and_what_is_valid_stays
    chains/test_degraded.py::test_gc_finds_what_is_on_no_record
  STATUS is always well, or asks IPAM alone, which is always well, too
    chains/test_status.py::test_one_plugin_that_is_not_ready_is_told
    plugins/test_status.py::test_a_missing_master_is_the_reason
    plugins/test_status.py::test_a_pool_without_addresses_is_the_reason
  the DEL of a list ends with the first plugin that fails
    test_network.py::test_every_member_is_detached_whatever_fails
    multus/test_delete.py::test_all_are_attempted_backwards_and_all_failures_told
  a list of links or routes that changed while it was read is used in part
    linux/test_netlink.py::test_an_interrupted_dump_is_read_again
    linux/test_netlink.py::test_a_list_that_never_stops_changing_is_not_believed
  neighbours keep the MAC of whoever had the address before
    plugins/test_announcements.py::test_who_knew_the_address_learns_its_new_mac
    plugins/test_announcements.py::test_the_node_forgets_the_mac_of_an_address_that_is_given_back
  ipMasq: two interfaces of a container on one network share a chain, which goes with the first of them
    plugins/test_masquerade.py::test_two_interfaces_of_a_pod_on_one_network_do_not_share
  ipMasq: the rules stay where the link, the namespace or a first DEL has gone
    plugins/test_masquerade.py::test_neither_namespace_nor_result_is_needed
    plugins/test_masquerade.py::test_an_interface_that_is_gone_is_not_needed
    chains/test_upkeep.py::test_ipam_that_fails_a_delete_keeps_no_rules
  ipMasq: an unknown backend is told when links and addresses are there
    plugins/test_masquerade_backends.py::test_a_backend_that_nobody_knows_is_told_before_anything_happens
    plugins/test_bridge_masquerade.py::test_a_backend_that_is_none_is_refused_before_anything_happens
  ipMasq: a late DEL takes the rules from an address's new owner
    plugins/test_masquerade.py::test_an_address_that_is_reused_early_is_its_new_owners
bridge
  VLANs on a bridge that mixes them isolate nobody
    plugins/test_bridge_vlans.py::test_a_bridge_that_mixes_vlans_is_refused_and_stays_as_it_is
    plugins/test_bridge_vlans.py::test_a_bridge_that_mixes_vlans_is_switched_where_the_configuration_says_so
    plugins/test_bridge_vlans.py::test_a_bridge_that_nobody_uses_is_switched_without_asking
  isDefaultGateway adds a second default where IPAM's has no gateway, and the ADD fails
    plugins/test_shared_bridge.py::test_a_default_route_that_ipam_brings_is_not_added_twice
  the result never has an mtu
    plugins/test_bridge_keys.py::test_the_mtu_is_that_of_the_bridge_and_of_both_ends
    plugins/test_shared_bridge.py::test_the_result_tells_the_mtu_that_a_bridge_took_from_its_port
  CHECK fails always without ipam
    plugins/test_check.py::test_a_bridge_without_ipam_passes
  CHECK fails while somebody listens to the bridge, or once other ports have changed its MAC
    plugins/test_check.py::test_somebody_who_listens_is_no_difference
    plugins/test_check.py::test_the_bridges_mac_is_no_matter
    plugins/test_shared_bridge.py::test_the_bridges_mac_stays_while_ports_come_and_go
  CHECK passes over VLANs, modes of the port, gateways, ipMasq, the MAC check and forwarding
    plugins/test_check.py::test_what_is_changed_on_the_node_is_found
    plugins/test_bridge_vlans.py::test_check_looks_at_the_vlans
    plugins/test_bridge_vlan_gateways.py::test_check_looks_at_the_gateway
    plugins/test_bridge_masquerade.py::test_check_misses_it
    plugins/test_bridge_spoofing.py::test_check_looks_at_the_rules
  macspoofchk: without the namespace its chains stay
    plugins/test_bridge_spoofing.py::test_delete_forgets_the_pod
  a port is up before its MAC is checked, before it is isolated, and before it is in its VLAN
    plugins/test_bridge_order.py::test_the_check_of_its_mac_stands_before_a_port_is_up
    plugins/test_bridge_order.py::test_a_port_is_isolated_before_it_is_up
    plugins/test_bridge_order.py::test_a_port_is_in_its_vlan_before_it_is_up
  macspoofchk: a MAC that tuning gives later in the list is not let through
    chains/test_together.py::test_the_spoof_check_follows_a_mac_that_tuning_gives
  the gateway of a VLAN stays for ever
    plugins/test_bridge_vlan_gateways.py::test_the_last_pod_of_a_vlan_takes_its_gateway_along
  a new bridge, or its port, may listen to routers
    plugins/test_ipv6.py::test_neither_a_new_bridge_nor_its_port_listens_to_routers
macvlan
  where IPAM or an address fails the link stays, and the next ADD fails because of it
    plugins/test_macvlan.py::test_failed_ipam_leaves_no_link
    plugins/test_macvlan.py::test_a_refused_address_leaves_no_link
  what IPAM reserved leaks where it returns no addresses
    plugins/test_macvlan.py::test_ipam_that_gives_nothing_is_told_to_forget_it
  IPAM's dns is dropped
    plugins/test_macvlan.py::test_dns_of_ipam_is_passed_on
  CHECK passes over master, MTU and queue
    plugins/test_check.py::test_another_master_of_a_macvlan_is_found
    plugins/test_macvlan.py::test_check_finds_another_queue_and_another_mtu
ipvlan
  a failure leaves the link, and with linkInContainer hides the reason
    plugins/test_ipvlan.py::test_a_failure_leaves_no_link_and_no_address
    plugins/test_ipvlan.py::test_what_is_wrong_is_told_with_its_path_before_anything_happens
  without master and default route DEL fails
    plugins/test_ipvlan.py::test_delete_needs_no_master_and_succeeds_twice
    plugins/test_ipvlan.py::test_delete_of_what_was_never_added_succeeds
  it knows no flags: pods of one master always see each other
    plugins/test_ipvlan.py::test_every_mode_and_flag_is_made
    plugins/test_ipvlan.py::test_private_pods_reach_the_segment_but_not_each_other
  that there is no ipam is told when the link is there
    plugins/test_ipvlan.py::test_after_a_plugin_without_addresses_it_needs_ipam
vlan
  without the master, or the namespace that it should be in, DEL fails
    plugins/test_vlan.py::test_delete_needs_no_master_and_succeeds_twice
    plugins/test_vlan.py::test_delete_of_what_was_never_added_succeeds
  a failure leaves the link
    plugins/test_vlan.py::test_a_failure_leaves_no_link_and_no_address
  CHECK takes any master
    plugins/test_vlan.py::test_check_names_every_difference
dummy
  a failure leaves the link
    plugins/test_dummy.py::test_a_failure_leaves_no_link_and_no_address
tap
  where IPAM fails the device stays
    plugins/test_tap.py::test_failed_ipam_leaves_no_device
  with owner and group it has another MAC than was asked for
    plugins/test_tap.py::test_it_has_the_address_mac_and_owner_that_were_asked_for
ptp
  /32 and /128 addresses fail
    plugins/test_ptp.py::test_an_address_without_a_network_works
  without a gateway it fails half way, in words that do not tell
    plugins/test_ptp_failures.py::test_an_address_that_leads_nowhere_is_refused_before_anything_is_made
  a failure leaves the pair, and in some cases the address
    plugins/test_ptp_failures.py::test_a_failed_add_leaves_what_it_found
    plugins/test_ptp_failures.py::test_failed_ipam_leaves_nothing
  the pair outlives DEL where its namespace is kept; ipMasq's rules without it
    plugins/test_ptp_failures.py::test_the_namespace_is_not_needed
    plugins/test_masquerade.py::test_neither_namespace_nor_result_is_needed
  CHECK does not look at the node
    plugins/test_ptp_failures.py::test_check_finds_what_is_changed
host-device
  a configured device is moved in the place of the one that was allocated
    plugins/test_host_device.py::test_what_the_runtime_chose_is_not_passed_over
    vm/test_host_device.py::test_a_device_id_and_another_selector_must_mean_the_same
  of several links with one address the first is moved
    plugins/test_host_device.py::test_an_address_that_several_links_have_is_refused
  where addresses fail the device stays in the pod
    plugins/test_host_device_back.py::test_failed_ipam_moves_nothing
    plugins/test_host_device_back.py::test_a_refused_address_puts_the_device_back_exactly
  without the namespace DEL fails, or releases no address
    plugins/test_host_device_back.py::test_without_the_namespace_the_address_is_released
  a second DEL fails
    plugins/test_host_device_back.py::test_delete_twice_succeeds_twice
  DEL looks for the device and its driver first
    plugins/test_host_device_back.py::test_delete_needs_no_valid_configuration
    vm/test_host_device.py::test_a_device_of_a_program_is_told_and_not_moved
    vm/test_host_device.py::test_a_function_that_was_taken_away_is_deleted_all_the_same
  what the pod renamed is not found again, and comes back with what the pod did to it
    plugins/test_host_device_back.py::test_whatever_the_pod_did_to_it_is_taken_back
loopback
  its result has the form of one version, whichever was asked for
    plugins/test_loopback.py::test_the_result_has_one_address_of_each_family
sbr
  DEL without CNI_NETNS fails
    plugins/test_sbr_delete.py::test_delete_with_no_namespace_or_a_stale_file_succeeds
  DEL makes a file at the path of a namespace that is gone, and fails
    plugins/test_sbr_delete.py::test_delete_without_namespace_makes_no_file_of_its_name
  a second ADD fails, and leaves a second rule
    plugins/test_sbr.py::test_added_twice_is_added_once
    plugins/test_sbr.py::test_with_a_table_added_twice_is_added_once
  an IPv4 address's table gets IPv6 routes; no link-local neighbour is reached any more
    plugins/test_sbr.py::test_a_table_has_routes_of_its_family_only
    plugins/test_sbr.py::test_link_local_networks_stay_in_the_main_table
    plugins/test_sbr.py::test_routes_of_a_family_without_address_stay
  tables that have routes already are joined
    plugins/test_sbr.py::test_a_table_that_somebody_uses_is_passed_over
  a failure leaves rules, tables and an emptied main table
    plugins/test_sbr_delete.py::test_a_route_that_the_kernel_refuses_leaves_what_was_there
    plugins/test_sbr_chain.py::test_a_list_that_fails_behind_sbr_leaves_nothing
  rules stay where the link or its address has gone, and routes are never put back
    plugins/test_sbr_delete.py::test_delete_without_the_link_removes_the_rules
    plugins/test_sbr_delete.py::test_delete_without_the_address_removes_the_rules
    plugins/test_sbr_delete.py::test_delete_twice_leaves_what_was_there_before
  CHECK looks at nothing, and fails that of the plugin before it
    plugins/test_sbr_delete.py::test_check_finds_what_is_missing
    plugins/test_sbr_chain.py::test_every_check_of_the_list_succeeds
  addresses of the capability ips get no default route
    plugins/test_sbr.py::test_the_configured_gateway_serves_an_address_without_one
    plugins/test_sbr.py::test_an_address_inherits_the_gateway_of_another_in_its_network
tuning
  settings that are only asked for in args.cni crash it
    plugins/test_tuning.py::test_settings_may_only_be_asked_for
  settings are written in a random order, and never put back
    plugins/test_tuning.py::test_settings_are_written_in_their_order
    plugins/test_tuning.py::test_a_setting_is_changed_checked_and_restored
  an interface whose name has a dot has no settings
    plugins/test_tuning.py::test_an_interfaces_name_may_have_dots
  the result keeps the old MTU, and tells the MAC as it was spelt
    plugins/test_tuning.py::test_the_result_tells_what_the_interface_has_now
  a failure leaves what was changed before it
    plugins/test_tuning_back.py::test_a_failed_add_leaves_what_it_found
  DEL hides what it could not put back, and keeps the file of a pod that is gone
    plugins/test_tuning_back.py::test_what_cannot_be_restored_is_told_and_the_rest_is_restored
    plugins/test_tuning_back.py::test_what_is_gone_needs_no_restoring_and_leaves_no_file
  a second ADD takes its own work for what was there
    plugins/test_tuning_back.py::test_a_second_add_does_not_take_its_own_work_for_what_was_there
  CHECK fails for upper case, for tabs, and while somebody listens
    plugins/test_tuning_back.py::test_check_is_not_put_off_by_spelling
    plugins/test_tuning_back.py::test_check_is_not_put_off_by_somebody_who_listens
  what a router advertised before accept_ra was off stays
    plugins/test_tuning_advertised.py::test_accept_ra_off_forgets_what_was_advertised
portmap
  ports, protocols and addresses are not looked at, and become part of nft's own syntax
    plugins/test_portmap.py::test_a_mapping_that_cannot_be_is_told_before_anything_happens
  nftables: the conditions of the last ADD are everybody's
    plugins/test_portmap_packets.py::test_conditions_are_each_attachments_own
  nftables: masqAll and markMasqBit are passed over
    plugins/test_portmap_packets.py::test_with_masqall_strangers_come_from_the_node
    plugins/test_portmap_packets.py::test_the_bit_of_the_mark_is_the_one_that_is_asked_for
  a second ADD doubles the rules, or keeps stale ones
    plugins/test_portmap_upkeep.py::test_an_add_again_replaces_what_a_killed_one_left
  DEL without portMappings leaves everything
    plugins/test_portmap_upkeep.py::test_a_delete_twice_leaves_the_table_and_nothing_in_it
    chains/test_degraded.py::test_a_runtime_may_have_forgotten
  nftables: the DEL of one network takes the container's ports of all networks
    plugins/test_portmap_upkeep.py::test_a_delete_leaves_the_containers_other_networks_alone
  connections are led to dead pods after DEL
    plugins/test_portmap_connections.py::test_a_udp_client_that_goes_on_sending_reaches_the_next_pod
    plugins/test_portmap_connections.py::test_connections_of_tcp_to_a_dead_pod_are_forgotten
  two interfaces of a container on one network share a chain
    plugins/test_portmap_upkeep.py::test_two_interfaces_of_a_network_have_ports_of_their_own
  the last of several gets a port, and nobody is told
    plugins/test_portmap_conflicts.py::test_who_comes_second_is_told_who_has_the_port
    plugins/test_portmap_conflicts.py::test_with_the_same_port_exactly_one_of_many_succeeds
  CHECK counts rules, and passes over what marks, masquerades and leads to 127.0.0.1
    plugins/test_portmap_upkeep.py::test_a_check_sees_what_somebody_changed
    plugins/test_portmap_upkeep.py::test_a_check_sees_what_is_not_as_configured
  route_localnet lets neighbours in to what listens on 127.0.0.1 alone
    plugins/test_portmap_packets.py::test_what_is_sent_to_localhost_from_outside_is_dropped
bandwidth
  two interfaces of a container on one network have one ifb, and the second ADD fails
    plugins/test_bandwidth.py::test_two_interfaces_of_a_container_on_one_network_are_limited
  it knows veth pairs alone, and only where the result tells the node's end
    plugins/test_bandwidth.py::test_both_ways_are_limited_checked_and_released
    plugins/test_bandwidth.py::test_the_end_of_the_node_needs_no_mention
    vm/test_bandwidth.py::test_both_ways_are_limited
  a second ADD fails
    plugins/test_bandwidth_packets.py::test_check_and_a_second_add_leave_the_counters
  it fails where somebody looks at what comes in already
    plugins/test_bandwidth.py::test_who_looks_at_what_comes_in_already_goes_on
  CHECK is content with a link that has no limit
    plugins/test_bandwidth_back.py::test_check_finds_every_difference
  a failure leaves a limit, and a key that cannot be read the ifb
    plugins/test_bandwidth_back.py::test_a_failed_add_leaves_what_it_found
    plugins/test_bandwidth_back.py::test_delete_needs_neither_limits_nor_result
firewall
  firewalld's answer is not looked at: CHECK never misses anything
    plugins/test_firewall_firewalld.py::test_check_finds_what_firewalld_forgot
  an unknown policy is told when rules are there, an unknown backend never
    plugins/test_firewall.py::test_an_unknown_policy_or_backend_is_refused_before_anything_is_done
  DEL without prevResult leaves everything, and policies are never taken back
    plugins/test_firewall.py::test_delete_needs_neither_namespace_nor_result_and_succeeds_twice
    plugins/test_firewall.py::test_the_strictest_policy_of_a_bridge_counts_until_its_last_attachment
  CHECK makes what is missing
    chains/test_upkeep.py::test_check_changes_nothing
  there is no nftables backend
    plugins/test_firewall.py::test_the_result_is_passed_through_and_the_addresses_are_let_through
    plugins/test_firewall.py::test_bridges_of_the_same_bridge_policy_do_not_reach_each_other
vrf
  DEL without the interface fails, and with it that of the list
    plugins/test_vrf.py::test_delete_of_what_was_never_added_succeeds
    plugins/test_vrf.py::test_delete_succeeds_whatever_is_gone
  it takes tables that routes or rules use, and the kernel's own
    plugins/test_vrf.py::test_tables_that_somebody_uses_are_passed_over
    plugins/test_vrf.py::test_a_wrong_value_is_told_with_its_key
host-local
  an empty file blocks an address for ever
    ipam/test_host_local_upkeep.py::test_an_address_whose_file_names_nobody_is_free
  addresses leak across reboots and lost DELs
    ipam/test_disk_and_boot.py::test_reservations_of_an_earlier_boot_are_reclaimed_when_the_pool_is_exhausted
    ipam/test_host_local_upkeep.py::test_gc_frees_what_no_valid_attachment_has
  DEL needs valid ranges
    ipam/test_host_local.py::test_a_delete_needs_no_valid_ranges
  who asks for an address gets a second one
    ipam/test_host_local.py::test_an_attachment_gets_its_address_once_even_if_it_asks_for_another
  which of two requested addresses is given is left to chance
    ipam/test_host_local_config.py::test_of_two_addresses_for_one_set_the_first_is_taken_and_the_rest_is_an_error
  a failing set keeps the addresses of those before it
    ipam/test_host_local.py::test_no_set_gives_an_address_unless_all_do
  CHECK is content with any address
    ipam/test_host_local.py::test_a_check_of_an_address_that_is_another_s_fails_though_the_attachment_has_one
  STATUS is well with a full pool
    ipam/test_host_local_upkeep.py::test_status_tells_of_a_full_pool
  every call reads every file
    ipam/test_cost.py::test_a_large_pool_costs_no_more_than_an_empty_one
  /31, /32, /127 and /128 are refused
    ipam/test_host_local.py::test_the_smallest_subnets_give_all_they_have
static
  addresses that are asked for have no gateway, and GATEWAY never reaches a configured one
    ipam/test_static.py::test_an_address_that_is_asked_for_inherits_the_gateway_of_its_subnet
    ipam/test_static.py::test_gateways_of_arguments_go_to_configured_addresses_too
  CHECK passes over an address that is missing
    ipam/test_static.py::test_a_check_wants_every_address_with_its_gateway
  two pods may have one address
    ipam/test_static.py::test_an_address_is_one_attachment_s_at_a_time
whereabouts
  without a flat file nothing works, not even DEL; one that is being written fails every call
    ipam/whereabouts/test_config_flatfile.py::test_there_need_be_none
    ipam/whereabouts/test_config_flatfile.py::test_a_file_that_is_being_written_is_waited_for
    ipam/whereabouts/test_plugin.py::test_a_delete_needs_no_configuration
  an address is given though its pool could not take it
    ipam/whereabouts/cluster/test_faults.py::test_an_add_is_done_or_not
    ipam/whereabouts/cluster/test_faults.py::test_a_pool_that_can_take_no_more_gives_nothing
    ipam/whereabouts/cluster/test_halves.py::test_without_protection_an_address_that_is_not_in_its_pool_is_not_given
  an ADD that was tried again makes the reservation of the first range only
    ipam/whereabouts/cluster/test_halves.py::test_a_pod_that_comes_again_has_every_reservation_again
  the DEL of an ADD that failed frees the address of whoever was faster
    ipam/whereabouts/cluster/test_halves.py::test_an_add_that_was_refused_takes_nothing_from_anybody
    ipam/whereabouts/cluster/test_peer.py::test_a_peer_whose_add_fails_takes_our_reservation_along_and_it_is_made_again
  a hundred addresses that another range has, and no other is found
    ipam/whereabouts/cluster/test_peer.py::test_a_hundred_addresses_that_another_range_has
    ipam/whereabouts/cluster/test_peer.py::test_a_range_that_is_full_by_other_ranges_is_exhausted
  a pod whose address is reserved for another never starts again
    ipam/whereabouts/cluster/test_peer.py::test_an_entry_of_ours_whose_reservation_is_another_pods_is_given_up
  a pool whose range has host bits is counted wrong
    ipam/whereabouts/cluster/test_faults.py::test_a_pool_of_another_range_is_refused
  one leader for the cluster: an address or two a second, sixty at once wait for half a minute
    ipam/whereabouts/cluster/test_engine.py::test_a_quiet_add_is_two_calls_and_so_is_its_del
    ipam/whereabouts/cluster/test_many.py::test_nodes_that_all_start_at_once_spread
    ipam/whereabouts/cluster/test_many.py::test_pods_of_one_node_do_not_meet
  two calls for one pod lead at once; one that loses the lease hangs
    ipam/whereabouts/cluster/test_many.py::test_one_attachment_that_many_add_at_once
  killed while it leads it leaves half an address, and keeps the others waiting
    ipam/whereabouts/cluster/test_kill.py::test_killed_anywhere
  a DEL that cannot reach the API, or is not its turn for a minute, succeeds and leaks
    ipam/whereabouts/cluster/test_faults.py::test_an_api_that_is_gone
    ipam/whereabouts/cluster/test_faults.py::test_a_del_is_done_now_or_later
  entries without an interface are never released
    ipam/whereabouts/cluster/test_peer.py::test_entries_without_an_interface_are_released
  without a pod's name ADD fails, and DEL does nothing
    ipam/whereabouts/test_config_requested.py::test_a_holder_is_the_pod_where_one_is_told_and_else_the_container
    ipam/whereabouts/test_plugin.py::test_the_first_address_is_given_again_once_it_was_given_back
  DEL ends with the first range that has no entry, and the other family leaks
    ipam/whereabouts/cluster/test_halves.py::test_del_goes_on_behind_a_range_that_has_nothing
    ipam/whereabouts/test_plugin.py::test_of_two_families_both_are_given_or_none
  two interfaces of a pod get one address over two ranges, and the first DEL frees it for others
    ipam/whereabouts/cluster/test_engine.py::test_two_interfaces_of_a_pod_have_an_address_each
    ipam/whereabouts/test_plugin.py::test_two_interfaces_of_a_pod_have_an_address_each
  two ranges of one network give an interface the same address twice
    ipam/whereabouts/cluster/test_engine.py::test_two_windows_of_one_range_give_two_addresses
    ipam/whereabouts/test_plugin.py::test_a_second_range_of_one_network_is_another_range
    ipam/whereabouts/test_ranges.py::test_a_range_that_cannot_be_meant_is_refused
  a pod and the one that replaces it under its name share a live address
    ipam/whereabouts/cluster/test_engine.py::test_another_pod_of_the_name_gets_another_address
    ipam/whereabouts/test_plugin.py::test_a_pod_of_the_same_name_that_is_another_one_has_another_address
  IPv6: addresses far from the range's beginning are given twice, or cannot be given back
    ipam/whereabouts/cluster/test_engine.py::test_offsets_that_peers_cannot_read_are_not_given
    ipam/whereabouts/test_plugin.py::test_addresses_of_any_distance_from_the_ranges_beginning_are_told_apart
  /31, /32, /127 and /128 are refused
    ipam/whereabouts/test_ranges.py::test_of_the_smallest_ranges_every_address_serves
  the gateway is given to a pod
    ipam/whereabouts/test_ranges.py::test_a_gateway_is_told_and_never_given
    ipam/whereabouts/test_ranges.py::test_no_range_gives_what_is_the_gateway_of_another_or_the_next_hop_of_a_route
  a gateway of IPv4 is told of IPv6 addresses, and the other way round
    ipam/whereabouts/test_plugin.py::test_a_gateway_of_ipv4_is_not_told_of_an_ipv6_address
    ipam/whereabouts/test_ranges.py::test_a_gateway_is_of_the_ranges_it_lies_in_else_of_its_family
    ipam/whereabouts/test_ranges.py::test_a_gateway_that_no_address_can_have_is_refused
  bounds that are no addresses, lie outside or in the wrong order are passed over
    ipam/whereabouts/test_ranges.py::test_a_range_that_cannot_be_meant_is_refused
    ipam/whereabouts/test_ranges.py::test_compat_means_what_whereabouts_makes_of_it
  without a range ADD succeeds with nothing
    ipam/whereabouts/test_config.py::test_what_cannot_be_is_told_with_its_path
  a bad exclusion is told when an address is chosen; one beside ipRanges counts for none of them
    ipam/whereabouts/test_plugin.py::test_nothing_is_touched_by_what_is_refused
    ipam/whereabouts/test_ranges.py::test_an_exclusion_outside_the_ranges_counts_for_all_of_them_one_inside_for_its_own
  addresses that are asked for are passed over, or given to any number of pods
    ipam/whereabouts/test_plugin.py::test_an_address_that_is_asked_for_is_given_or_refused
    ipam/whereabouts/test_plugin.py::test_an_address_outside_the_ranges_is_one_attachments_at_a_time
  enable_overlapping_ranges of the flat file is never looked at
    ipam/whereabouts/test_config_flatfile.py::test_whether_ranges_may_overlap_is_read_from_it_unless_the_network_says
  impossible times of the leader crash it
    ipam/whereabouts/test_config.py::test_what_only_whereabouts_itself_needs_is_passed_over_whatever_it_says
  names of ranges at the beginning of IPv6, or of networks, are refused by the API for ever
    ipam/whereabouts/test_config.py::test_names_that_the_api_would_refuse_are_refused_here
    ipam/whereabouts/test_config.py::test_what_cannot_be_is_told_with_its_path
  a size of slices that none can have crashes it, or makes no slices or too many; two families never work
    ipam/whereabouts/test_config.py::test_a_size_that_no_slice_can_have_is_refused
    ipam/whereabouts/test_config.py::test_slices_of_two_families_have_a_size_each
  CHECK fails always; STATUS and GC succeed and do nothing
    ipam/whereabouts/test_plugin.py::test_a_check_names_what_is_not_as_it_was
    ipam/whereabouts/test_plugin.py::test_status_is_well_until_an_add_would_fail
    ipam/whereabouts/test_plugin.py::test_gc_gives_back_what_is_not_valid_of_this_network
  an address is another pod's the moment it is given back
    ipam/whereabouts/test_plugin.py::test_with_the_policy_next_an_address_rests_before_it_is_anothers
  CNI up to 0.2.0 is told one address of a family, and the others leak
    ipam/whereabouts/test_config.py::test_old_versions_can_tell_one_address_of_a_family_wherever_it_comes_from
  its reconciler deletes the reservations of every network that has a network_name
    ipam/whereabouts/cluster/test_reconcile.py::test_reservations_of_named_networks_stay_with_their_pods
  ... frees addresses of pods that start, have prefixes in their status, or are without Multus
    ipam/whereabouts/cluster/test_reconcile.py::test_a_pod_keeps_its_address_whatever_its_status_says
  ... keeps those of pods that have ended, and takes a pod for the one that had its name before
    ipam/whereabouts/cluster/test_reconcile.py::test_a_pod_that_has_ended_gives_its_address_back
    ipam/whereabouts/cluster/test_reconcile.py::test_a_pod_of_the_same_name_does_not_keep_its_predecessors_address
  ... deletes a reservation that no pool has an entry for while its pod runs
    ipam/whereabouts/cluster/test_reconcile_consistency.py::test_a_reservation_of_a_living_pod_is_left_and_told
    ipam/whereabouts/cluster/test_reconcile_consistency.py::test_an_allocation_that_is_lost_is_restored_where_the_pod_shows_the_address
  ... leaves entries without a reservation, and reservations of others, for ever
    ipam/whereabouts/cluster/test_reconcile_consistency.py::test_a_reservation_that_is_lost_is_restored
    ipam/whereabouts/cluster/test_reconcile_consistency.py::test_a_dead_pods_reservation_of_a_living_ones_address_is_replaced
    ipam/whereabouts/cluster/test_reconcile_consistency.py::test_an_address_of_two_living_pods_is_told_and_left
  ... ends with the first conflict, and all other pools wait until the next day
    ipam/whereabouts/cluster/test_reconcile.py::test_an_address_that_changes_hands_at_the_last_moment_stays
    ipam/whereabouts/cluster/test_reconcile.py::test_a_pool_that_cannot_be_changed_stops_no_other
  ... compares every address with every pod, and runs on every node in the same minute
    ipam/whereabouts/cluster/test_reconcile_planning.py::test_thousands_of_addresses_and_pods_are_compared_once
    ipam/whereabouts/cluster/test_reconcile.py::test_four_at_once_do_it_once
  pods that are deleted while its controller is down leak, until a cron job finds them once a day
    ipam/whereabouts/cluster/test_reconcile.py::test_the_address_of_a_dead_pod_is_freed_and_reported
    cli/ipam/test_reconcile.py::test_a_node_gives_back_what_its_journal_says
  entries without an interface, and keys that it cannot read, are never freed
    ipam/whereabouts/cluster/test_reconcile.py::test_old_and_odd_records_are_freed_as_well
  slices: exclusions and bounds are dropped
    ipam/whereabouts/cluster/test_slicing.py::test_exclusions_and_bounds_hold_inside_a_slice
  slices: all ranges of a network have the slice of the first
    ipam/whereabouts/cluster/test_slices.py::test_ranges_of_both_families_have_objects_of_their_own
  slices: an edited range or size deals them anew while pods run
    ipam/whereabouts/cluster/test_slices.py::test_an_edited_size_leaves_nodes_what_they_have_and_gives_no_address_twice
    ipam/whereabouts/cluster/test_slices.py::test_an_edited_range_leaves_nodes_what_still_fits
  slices: that of a node that is gone is another's at once, while its pods may run; its pool stays for ever
    ipam/whereabouts/cluster/test_reconcile_slices.py::test_a_slice_is_kept_as_long_as_somebody_has_an_address_of_it
    ipam/whereabouts/cluster/test_reconcile_slices.py::test_a_slice_is_freed_when_its_node_is_gone
    ipam/whereabouts/cluster/test_reconcile_slices.py::test_a_node_whose_slice_was_freed_gets_another_one
  slices: many of them make an object that the API refuses
    ipam/whereabouts/cluster/test_slices.py::test_many_nodes_at_once_share_a_range_with_too_many_slices_to_list
  slices: a node for which none is left, or whose name is another, gets nothing, and then crashes
    ipam/whereabouts/cluster/test_slices.py::test_all_slices_taken_is_told_with_who_has_them
    ipam/whereabouts/cluster/test_slices.py::test_a_node_whose_name_is_a_guess_claims_nothing
  slices: networks that disagree block each other
    ipam/whereabouts/cluster/test_slices.py::test_two_configurations_that_disagree_never_share_an_address
  the address of a machine that moves to another node is given away
    ipam/whereabouts/cluster/test_claims.py::test_a_claims_addresses_are_written_and_read_again
    ipam/whereabouts/cluster/test_reconcile.py::test_a_claim_keeps_its_address_without_a_pod
"""
"""Types of plugins, "any" for what several have in common; below each what the reference's does; below that tests."""


def defects() -> dict[tuple[str, str], list[str]]:
    """Type and defect, and the tests that pin it."""
    found: dict[tuple[str, str], list[str]] = {}
    plugin = what = ""
    for depth, text in outline(TABLE):
        if depth == 0:
            plugin = text
        elif depth == 1:
            what = text
            assert (plugin, what) not in found
            found[plugin, what] = []
        else:
            found[plugin, what].append(text)
    return found


@pytest.mark.parametrize("defect", defects(), ids=": ".join)
def test_a_defect_is_pinned(defect: tuple[str, str]) -> None:
    tests = defects()[defect]
    assert tests
    assert [test for test in tests if not is_there(test)] == []


def test_every_plugin_has_its_own() -> None:
    assert {plugin for plugin, _ in defects()} == {*MODULES, "any"} - {"multus"}
