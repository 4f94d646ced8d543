//! From a configuration to links.

use crate::config::decided::{Endpoint, Links};
use crate::core_loop::peers::plan::{EnsemblePlan, EnsembleSettings, PlanFault};
use engine::zab::CatchUp;
use engine::zab::{Pace, Quorum};
use model::host::Host;
use model::peer::address::Address;
use model::peer::hello::HelloForm;
use model::peer::membership::{Membership, Reading};
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use std::net::Ipv4Addr;

fn settings(text: &str, me: i64) -> EnsembleSettings {
    let reading = Reading { is_multi: true, has_groups: true };
    EnsembleSettings {
        can_change: false,
        membership: Membership::parse(text.as_bytes(), reading).unwrap(),
        me: ServerId(me),
        tick_ms: 2_000,
        init_limit: 10,
        sync_limit: 5,
        has_oracle: false,
        listens_everywhere: false,
        links: LINKS,
        packets: PacketLimits::default(),
    }
}

const LINKS: Links = Links {
    connect_limit: None,
    reconnect_ms: 100,
    election_connect_ms: Some(5_000),
    hello_ms: None,
    bind_attempts: Some(3),
    keep_alive: false,
    notify_ms: (200, 60_000),
    epoch_wait_ms: None,
    no_delay: [true, true],
    observers_port: None,
    says_all_addresses: false,
    check_ms: None,
    catch_up: CatchUp { snapshots_max: 10, diffs_max: 100, is_snapshot_forced: false },
};

const THREE: &str = "server.1=zoo1:2888:3888;2181\n\
    server.2=10.0.0.2:2888:3888|10.0.1.2:2889:3889\n\
    server.3=zoo3:2888:3888:observer\n";

fn named(name: &str, port: u16) -> Address {
    Address { host: Host::Named(name.to_owned()), port }
}

fn numbered(number: [u8; 4], port: u16) -> Address {
    Address { host: Host::Ipv4(Ipv4Addr::from(number)), port }
}

#[test]
fn a_configuration_becomes_an_ensemble() {
    let plan = EnsemblePlan::decide(&settings(THREE, 2)).unwrap();
    let ensemble = &plan.ensemble;
    assert_eq!((ensemble.me, ensemble.current.version()), (ServerId(2), 0));
    assert_eq!(*ensemble.current.quorum(), Quorum::majority([ServerId(1), ServerId(2)]));
    let text = std::str::from_utf8(ensemble.current.text()).unwrap();
    assert!(text.starts_with("server.1=zoo1:2888:3888:participant;0.0.0.0:2181\n"), "{text}");
    assert!(text.ends_with("\nversion=0"), "{text}");
    let pace = Pace::of(2_000, 10, 5, 100);
    assert_eq!(plan.pace, pace);

    let endpoints = |addresses: [Address; 2]| addresses.map(Endpoint::from).to_vec();
    let listening = &plan.listening;
    let own = |quorum: u16| {
        let second = numbered([10, 0, 1, 2], quorum + 1);
        endpoints([numbered([10, 0, 0, 2], quorum), second])
    };
    assert_eq!((&listening.quorum, &listening.election), (&own(2_888), &own(3_888)));
    assert_eq!(listening.attempts_max, Some(3));

    let links = &plan.links;
    assert_eq!(links.me, ServerId(2));
    let own = [numbered([10, 0, 0, 2], 3_888), numbered([10, 0, 1, 2], 3_889)];
    assert_eq!((&links.election[..], links.form), (&own[..], HelloForm::V1));
    assert_eq!(links.others.keys().copied().collect::<Vec<_>>(), [ServerId(1), ServerId(3)]);
    assert_eq!(links.others[&ServerId(1)].election, [named("zoo1", 3_888)]);
    assert_eq!(links.others[&ServerId(3)].quorum, [named("zoo3", 2_888)]);
    let times = (links.connect_ms, links.hello_ms, links.introduction_ms, links.leader_ms);
    assert_eq!(times, (5_000, 10_000, 20_000, 20_000));
}

#[test]
fn every_wait_can_be_configured() {
    let links = Links {
        connect_limit: Some(3),
        reconnect_ms: 7,
        election_connect_ms: None,
        hello_ms: Some(900),
        keep_alive: true,
        notify_ms: (50, 800),
        epoch_wait_ms: Some(1_500),
        no_delay: [false, true],
        ..LINKS
    };
    let plan = EnsemblePlan::decide(&EnsembleSettings { links, ..settings(THREE, 2) }).unwrap();
    let pace = plan.pace;
    assert_eq!((pace.connect_ms(), pace.init_ms(), pace.reconnect_ms), (6_000, 20_000, 7));
    assert_eq!((pace.notify_ms_min, pace.notify_ms_max), (50, 800));
    assert_eq!(pace.epoch_wait_ms, Some(1_500));
    let links = &plan.links;
    assert_eq!((links.connect_ms, links.hello_ms), (u64::MAX, 900));
    assert_eq!((links.introduction_ms, links.leader_ms), (20_000, 6_000));
    // What probes a silent peer are election links only, what may wait for more learner links.
    assert!(links.keep_alive && !links.no_delay);
    let [election, quorum] = plan.listening.options;
    assert_eq!((election.keep_alive, election.no_delay), (true, true));
    assert_eq!((quorum.keep_alive, quorum.no_delay), (false, true));
}

#[test]
fn it_may_listen_everywhere_and_for_ever() {
    let links = Links { bind_attempts: None, ..LINKS };
    let everywhere = EnsembleSettings { listens_everywhere: true, links, ..settings(THREE, 2) };
    let plan = EnsemblePlan::decide(&everywhere).unwrap();
    let any = |port| Endpoint { host: Host::Any, port };
    assert_eq!(plan.listening.election, [any(3_888), any(3_889)]);
    assert_eq!(plan.listening.quorum, [any(2_888), any(2_889)]);
    assert_eq!(plan.listening.attempts_max, None);
    // Several addresses with the same ports are one place then.
    let same = EnsembleSettings { listens_everywhere: true, ..settings("server.4=a:1:2|b:1:2", 4) };
    assert_eq!(EnsemblePlan::decide(&same).unwrap().listening.election, [any(2)]);
}

#[test]
fn groups_and_weights_decide() {
    let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n\
        group.1=1:2\ngroup.2=3\nweight.1=5\nweight.2=0\n";
    let plan = EnsemblePlan::decide(&settings(text, 1)).unwrap();
    let quorum = plan.ensemble.current.quorum();
    assert_eq!([1, 2, 3].map(|id| quorum.weight(ServerId(id))), [5, 0, 1]);
    assert!(!quorum.is_quorum(|id| id.0 != 3), "one group of two");
    assert!(quorum.is_quorum(|id| id.0 != 2));
}

#[test]
fn what_is_missing_is_told() {
    let fault = |settings: EnsembleSettings| EnsemblePlan::decide(&settings).unwrap_err();
    assert_eq!(fault(settings(THREE, 4)), PlanFault::NotListed(ServerId(4)));
    let observers = "server.1=a:1:2:observer";
    assert_eq!(fault(settings(observers, 1)), PlanFault::NoVoters);
    let of = |tick_ms, init_limit, sync_limit| {
        fault(EnsembleSettings { tick_ms, init_limit, sync_limit, ..settings(THREE, 1) })
    };
    assert_eq!(of(0, 1, 1), PlanFault::NoTick);
    assert_eq!(of(1, 0, 1), PlanFault::NoInitLimit);
    assert_eq!(of(1, 1, 0), PlanFault::NoSyncLimit);
    assert!(PlanFault::NoInitLimit.to_string().contains("initLimit"));
}

#[test]
fn an_observer_masters_port_is_at_each_address_of_the_server() {
    let with = |observers_port| {
        let links = Links { observers_port, ..LINKS };
        EnsemblePlan::decide(&EnsembleSettings { links, ..settings(THREE, 2) }).unwrap()
    };
    let plan = with(Some(2_191));
    let ports: Vec<_> = plan.listening.observers.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["10.0.0.2:2191", "10.0.1.2:2191"]);
    assert!(plan.ensemble.has_masters);
    assert_eq!(plan.links.observers_port, Some(2_191));
    let without = with(None);
    assert!(without.listening.observers.is_empty() && !without.ensemble.has_masters);
}
