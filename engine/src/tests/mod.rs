mod batch;
mod dropping;
mod endings;
mod ends;
mod ensemble;
mod harness;
mod hostile;
mod identities;
mod listings;
mod long;
mod meters;
mod moving;
mod plain;
mod quota;
mod reaping;
mod replica;
mod session_table;
mod stalls;
mod stuck;
mod transcript;
mod wire;

macro_rules! transcripts {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let name = stringify!($name);
            let text = include_str!(concat!("transcripts/", stringify!($name), ".txt"));
            transcript::check(name, text);
        }
    )* };
}

transcripts! {
    nodes
    failures
    multis
    watches
    pipelines
    attachment
    expiry
    many_ephemerals
    reaping
    disk_full
    across_shards
    watches_again
    acls
    enforced
    quotas
}
