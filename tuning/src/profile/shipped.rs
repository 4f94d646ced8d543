//! The profiles that the program ships (`tuning/profiles`).

use super::Profile;

/// Their names and texts: of kinds of disks, then of kinds of machines.
pub const SHIPPED: [(&str, &str); 11] = [
    ("nvme-protected", include_str!("../../profiles/nvme-protected.toml")),
    ("nvme-plain", include_str!("../../profiles/nvme-plain.toml")),
    ("sata-ssd", include_str!("../../profiles/sata-ssd.toml")),
    ("network-block", include_str!("../../profiles/network-block.toml")),
    ("virtio-vm", include_str!("../../profiles/virtio-vm.toml")),
    ("rotating", include_str!("../../profiles/rotating.toml")),
    ("ram-disk", include_str!("../../profiles/ram-disk.toml")),
    ("small-vm", include_str!("../../profiles/small-vm.toml")),
    ("one-socket", include_str!("../../profiles/one-socket.toml")),
    ("two-socket", include_str!("../../profiles/two-socket.toml")),
    ("arm", include_str!("../../profiles/arm.toml")),
];

/// One of them.
///
/// # Panics
/// There is none of this name.
pub fn shipped(name: &str) -> Profile {
    let (_, text) = SHIPPED.iter().find(|it| it.0 == name).expect("it is shipped");
    Profile::parse(text, name).expect("what is shipped is read by a test")
}
