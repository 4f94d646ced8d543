//! The operation numbers of the protocol, as they travel in a request's header.

/// create
pub const CREATE: i32 = 1;
/// delete
pub const DELETE: i32 = 2;
/// exists
pub const EXISTS: i32 = 3;
/// getData
pub const GET_DATA: i32 = 4;
/// setData
pub const SET_DATA: i32 = 5;
/// getACL
pub const GET_ACL: i32 = 6;
/// setACL
pub const SET_ACL: i32 = 7;
/// getChildren
pub const GET_CHILDREN: i32 = 8;
/// sync
pub const SYNC: i32 = 9;
/// ping
pub const PING: i32 = 11;
/// getChildren2
pub const GET_CHILDREN2: i32 = 12;
/// check
pub const CHECK: i32 = 13;
/// multi
pub const MULTI: i32 = 14;
/// create2
pub const CREATE2: i32 = 15;
/// reconfig
pub const RECONFIG: i32 = 16;
/// checkWatches
pub const CHECK_WATCHES: i32 = 17;
/// removeWatches
pub const REMOVE_WATCHES: i32 = 18;
/// createContainer
pub const CREATE_CONTAINER: i32 = 19;
/// deleteContainer
pub const DELETE_CONTAINER: i32 = 20;
/// createTTL
pub const CREATE_TTL: i32 = 21;
/// multiRead
pub const MULTI_READ: i32 = 22;
/// auth
pub const AUTH: i32 = 100;
/// setWatches
pub const SET_WATCHES: i32 = 101;
/// sasl
pub const SASL: i32 = 102;
/// getEphemerals
pub const GET_EPHEMERALS: i32 = 103;
/// getAllChildrenNumber
pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
/// setWatches2
pub const SET_WATCHES2: i32 = 105;
/// addWatch
pub const ADD_WATCH: i32 = 106;
/// whoAmI
pub const WHO_AM_I: i32 = 107;
/// closeSession
pub const CLOSE_SESSION: i32 = -11;
/// The type of a failed operation's result, and of the header that ends a multi.
pub const ERROR: i32 = -1;
