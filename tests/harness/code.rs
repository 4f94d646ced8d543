//! The error codes of the protocol, as they travel in a reply's header.

/// No error.
pub const OK: i32 = 0;
/// The server cannot do this now.
pub const SYSTEM_ERROR: i32 = -1;
/// An operation of a multi that was not tried, because one before it failed.
pub const RUNTIME_INCONSISTENCY: i32 = -2;
/// The request could not be decoded.
pub const MARSHALLING_ERROR: i32 = -5;
/// The server does not know or does not allow this operation.
pub const UNIMPLEMENTED: i32 = -6;
/// An invalid path, flag or time to live.
pub const BAD_ARGUMENTS: i32 = -8;
/// There is no such node.
pub const NO_NODE: i32 = -101;
/// A reconfiguration whose new quorum does not follow.
pub const NEW_CONFIG_NO_QUORUM: i32 = -13;
/// The connection's identities do not allow this.
pub const NO_AUTH: i32 = -102;
/// The expected version is not the node's.
pub const BAD_VERSION: i32 = -103;
/// The parent is ephemeral.
pub const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
/// The node exists already.
pub const NODE_EXISTS: i32 = -110;
/// The node has children.
pub const NOT_EMPTY: i32 = -111;
/// The ACL is empty, or names an invalid scheme or identity.
pub const INVALID_ACL: i32 = -114;
/// The credentials were refused.
pub const AUTH_FAILED: i32 = -115;
/// a write, or a sync, on a read-only server
pub const NOT_READ_ONLY: i32 = -119;
/// There is no such watch on this connection.
pub const NO_WATCHER: i32 = -121;
/// Reconfiguration is disabled.
pub const RECONFIG_DISABLED: i32 = -123;
/// A hard quota would be exceeded.
pub const QUOTA_EXCEEDED: i32 = -125;
