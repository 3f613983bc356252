"""All mutants by name. ``catalogue.yaml`` says what each one breaks and which rows must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_impl.mutants import Mutant, carriage, data_plane, drivers, families, leftovers, rights, traversal, words
from reference_impl.names import CABLE_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

MUTANTS: Mapping[str, Mutant] = {
    "crd-kind-missing": Mutant(manifests=words.without_route_agent_kind),
    "crd-accepts-anything": Mutant(manifests=words.without_schemas),
    "crd-ignores-host-bits": Mutant(manifests=words.without_validations),
    "one-role-for-all": Mutant(manifests=rights.one_role_for_all),
    "identity-self-asserted": Mutant(manifests=rights.without_policies),
    "identity-by-prefix": Mutant(manifests=rights.compare_prefixes),
    "encryption-forgotten": Mutant(manifests=rights.clear_cables),
    "clear-when-broken": Mutant(kernel=data_plane.without_floor),
    "any-inner-source": Mutant(kernel=data_plane.believe_peers),
    "incumbent-replaced": Mutant(manifests=rights.forget_holders),
    "revoked-stays": Mutant(writes=leftovers.keep_ghosts),
    "revoked-comes-back": Mutant(deletions=rights.everlasting_rights),
    "rotation-remakes-device": Mutant(operations=data_plane.remake_on_change),
    "secrets-readable": Mutant(manifests=rights.readable_secrets),
    "endpoint-not-shared": Mutant(writes=words.withhold_endpoints),
    "always-connected": Mutant(status=words.claim_connections),
    "connected-for-ever": Mutant(status=words.remember_connections()),
    "one-sided-view": Mutant(status=words.remember_at_one_end()),
    "status-not-apart": Mutant(manifests=words.without_status_subresource),
    "conditions-restamped": Mutant(status=words.restamp_status, conditions=words.restamp),
    "conditions-alike": Mutant(status=words.with_conditions_alike, conditions=words.make_alike),
    "version-withheld": Mutant(writes=words.withhold_versions),
    "clear-packets-accepted": Mutant(kernel=data_plane.believe_any_source),
    "resync-gap": Mutant(kernel=data_plane.let_go_now_and_then()),
    "needs-broker": Mutant(kernel=data_plane.let_go_without_broker),
    "crash-on-malformed": Mutant(writes=words.trip_over_prefixes),
    "timestamp-ahead": Mutant(report_time=words.date_ahead),
    "lost-for-ever": Mutant(status=words.remember_losses()),
    "needs-priming": Mutant(kernel=data_plane.demand_priming),
    "gateway-nodes-only": Mutant(kernel=data_plane.forget_workers),
    "firewalls-respected": Mutant(kernel=families.respect_firewalls),
    "hosts-forgotten": Mutant(kernel=data_plane.forget_hosts),
    "lan-shortcut": Mutant(kernel=data_plane.take_the_lan),
    "room-wasted": Mutant(kernel=data_plane.waste_room),
    "first-link-trusted": Mutant(kernel=data_plane.trust_the_first_link),
    "checksums-omitted": Mutant(kernel=data_plane.omit_checksums),
    "too-big-not-told-ipv6": Mutant(kernel=data_plane.suppress_too_big_of_ipv6),
    "mismatch-unsaid": Mutant(status=families.keep_mismatches_quiet),
    "families-lumped": Mutant(status=families.report_families_together),
    "ipv4-only": Mutant(kernel=families.route_ipv4_only),
    "udp-only": Mutant(kernel=data_plane.drop_in_tunnels("meta l4proto tcp")),
    "tcp-only": Mutant(kernel=data_plane.drop_in_tunnels("meta l4proto udp")),
    "one-way": Mutant(kernel=data_plane.drop_new_from_cable),
    "services-not-routed": Mutant(kernel=data_plane.forget_services),
    "backends-on-gateway-only": Mutant(kernel=data_plane.drop_service_traffic_to_workers),
    "icmp-errors-lost": Mutant(
        kernel=data_plane.drop_in_tunnels("icmp type { destination-unreachable, time-exceeded }")
    ),
    "snat-at-gateway": Mutant(kernel=data_plane.masquerade_at_gateway),
    "snat-for-services": Mutant(kernel=data_plane.leave_services_to_kube_proxy),
    "default-route-captured": Mutant(kernel=data_plane.capture_default_route),
    "outside-not-masqueraded": Mutant(kernel=data_plane.keep_source_everywhere),
    "large-packets-lost": Mutant(kernel=data_plane.drop_large),
    "too-big-not-told": Mutant(kernel=data_plane.suppress_too_big),
    "packets-doubled": Mutant(kernel=carriage.double_packets),
    "idle-flows-forgotten": Mutant(kernel=carriage.forget_idle_flows),
    "ecn-cleared": Mutant(kernel=carriage.clear_ecn),
    "prefixes-rounded": Mutant(kernel=carriage.round_prefixes),
    "published-address-only": Mutant(kernel=data_plane.drop_outside_cables("ip saddr != @peers_v4")),
    "private-address-only": Mutant(ways=traversal.private_addresses),
    "published-port-only": Mutant(kernel=data_plane.drop_outside_cables(f"udp sport != {CABLE_PORT}")),
    "residue-device": Mutant(operations=leftovers.keep_devices),
    "residue-rules": Mutant(operations=leftovers.keep_rules),
    "residue-table": Mutant(operations=leftovers.keep_tables),
    "ghost-members": Mutant(writes=leftovers.keep_ghosts),
    "stale-routes": Mutant(operations=leftovers.keep_routes),
    "one-driver-offered": Mutant(writes=drivers.offer_one),
    "mismatch-not-said": Mutant(status=drivers.keep_silent_about_mismatches, conditions=drivers.without_the_reason),
}
