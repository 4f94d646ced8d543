//! Messages of an election link: what decodes is encoded again to bytes that decode to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::peer::membership::{Membership, Reading};
use model::peer::notification::Notification;

fuzz_target!(|message: &[u8]| {
    let Ok(notification) = Notification::decode(message) else { return };
    let mut again = Vec::new();
    notification.encode(&mut again);
    assert_eq!(Notification::decode(&again), Ok(notification));
    let Some(config) = notification.config else { return };
    let reading = Reading { is_multi: true, has_groups: true };
    if let Ok(membership) = Membership::parse(config, reading) {
        assert!(membership.to_string().contains("version="));
    }
});
