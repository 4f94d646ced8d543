//! The commands about an ensemble.

use crate::admin::answer::Desk;
use crate::admin::inquiry::{Mode, Unanswered};
use crate::admin::text::conf::EnsembleConf;
use crate::admin::values::progress_name;
use model::peer::address::Address;
use model::peer::membership::{Member, PeerAddress, Role};
use model::zxid::Zxid;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// Whether this server leads, and who does.
pub(super) async fn leader(desk: &Desk) -> Result<Value, Unanswered> {
    let ordering = desk.roles.ordering_counts().await?;
    let (Some(conf), Some(ensemble)) = (&desk.facts.conf.ensemble, &ordering.ensemble) else {
        return Ok(json!({ "error": "server is not initialized" }));
    };
    let servers = conf.servers.get();
    let leader = ensemble.leader.and_then(|leader| servers.member(leader));
    let hosts = leader.into_iter().flat_map(Member::addresses);
    let hosts: Vec<_> = hosts.map(|address| address.host.to_string()).collect();
    Ok(json!({
        "is_leader": ordering.mode == Mode::Leader,
        "leader_id": ensemble.leader.map_or(-1, |leader| leader.0),
        "leader_ip": hosts.join("|"),
    }))
}

/// The observers that learn from this server.
pub(super) async fn observers(desk: &Desk) -> Result<Value, Unanswered> {
    let ordering = desk.roles.ordering_counts().await?;
    let observers = ordering.ensemble.as_ref().and_then(|it| it.observers.as_deref());
    let observers = observers.unwrap_or_default();
    let each = observers.iter().map(|it| {
        let traffic = &it.traffic;
        json!({
            "remote_socket_address": format!("/{}", traffic.from),
            "sid": it.id.0,
            "established": it.since_wall_ms,
            "queued_packets": traffic.waiting.0,
            "queued_packets_size": traffic.waiting.1,
            "packets_received": traffic.received,
            "packets_sent": traffic.sent,
            "requests": traffic.requests,
            "last_zxid": traffic.last.map_or(-1, |zxid| zxid.0),
        })
    });
    let each: Vec<_> = each.collect();
    Ok(json!({ "synced_observers": each.len(), "observers": each }))
}

/// The servers that vote; none on a read-only server.
pub(super) async fn voting_view(desk: &Desk) -> Result<Value, Unanswered> {
    let is_known = desk.roles.ordering_counts().await?.ensemble.is_some();
    let ensemble = desk.facts.conf.ensemble.as_ref().filter(|_| is_known);
    let mut view = Map::new();
    if let Some(ensemble) = ensemble {
        for (&id, member) in ensemble.servers.get().membership().members() {
            if member.role != Role::Participant {
                continue;
            }
            let client = match &member.client {
                _ if id == ensemble.me => client_address(ensemble.client_address()),
                Some(client) => client.to_string(),
                None => String::new(),
            };
            let view_of_it = json!({
                "server_addresses": addresses(member, |it| it.quorum_port),
                "election_addresses": addresses(member, |it| it.election_port),
                "client_address": client,
                "learner_type": "participant",
            });
            view.insert(id.0.to_string(), view_of_it);
        }
    }
    Ok(json!({ "current_config": view }))
}

/// How far this server has come in its ensemble.
pub(super) async fn zabstate(desk: &Desk) -> Result<Value, Unanswered> {
    let ordering = desk.roles.ordering_counts().await?;
    let conf = &desk.facts.conf;
    let (true, Some(known), Some(own), Some(ensemble)) = (
        ordering.is_serving,
        &conf.ensemble,
        conf.ensemble.as_ref().and_then(EnsembleConf::own),
        &ordering.ensemble,
    ) else {
        return Ok(json!({ "voting": false, "zabstate": "" }));
    };
    let Zxid(zxid) = ordering.zxid;
    Ok(json!({
        "myid": conf.server_id(),
        "is_leader": ordering.mode == Mode::Leader,
        "quorum_address": all_of(&own, |it| it.quorum_port),
        "election_address": all_of(&own, |it| it.election_port),
        "client_address": client_address(known.client_address()),
        "voting": own.role == Role::Participant,
        "last_zxid": format!("0x{zxid:x}"),
        "zab_epoch": ordering.zxid.epoch().0,
        "zab_counter": ordering.zxid.counter(),
        "zabstate": progress_name(ensemble.progress),
    }))
}

fn addresses(member: &Member, port: fn(&PeerAddress) -> u16) -> Vec<String> {
    let all = member.addresses().iter();
    all.map(|it| Address { host: it.host.clone(), port: port(it) }.to_string()).collect()
}

/// The addresses of this server, as stock's library prints an object that has all of these: its own
/// are all reachable.
fn all_of(own: &Member, port: fn(&PeerAddress) -> u16) -> Value {
    let all = addresses(own, port);
    let ports: Vec<_> = own.addresses().iter().map(port).collect();
    let everywhere: Vec<_> = ports.iter().map(|port| format!("0.0.0.0:{port}")).collect();
    let hosts: Vec<_> = own.addresses().iter().map(|it| it.host.to_string()).collect();
    json!({
        "empty": all.is_empty(),
        "all_addresses": all,
        "wildcard_addresses": everywhere,
        "all_ports": ports,
        "all_host_strings": hosts,
        "reachable_address": all.first(),
        "all_reachable_addresses": all,
        "all_reachable_addresses_or_all": all,
        "reachable_or_one": all.first(),
        "one": all.first(),
    })
}

fn client_address(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("0.0.0.0:{}", address.port())
    } else {
        address.to_string()
    }
}
