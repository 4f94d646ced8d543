//! Operations on nodes, one by one.

use super::Client;
use crate::opcode;
use crate::wire::{Acl, Body, ReplyReader, Stat};

impl Client {
    /// create
    pub fn create(
        &mut self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        flags: i32,
    ) -> Result<String, i32> {
        self.typed(opcode::CREATE, &create_body(path, data, acl, flags), ReplyReader::string)
    }

    /// create, of an open node without data or flags, which must succeed
    pub fn make(&mut self, path: &str) {
        let made = self.create(path, b"", &Acl::open(), 0);
        assert_eq!(made.as_deref(), Ok(path), "create {path}");
    }

    /// create2
    pub fn create2(
        &mut self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        flags: i32,
    ) -> Result<(String, Stat), i32> {
        let body = create_body(path, data, acl, flags);
        self.typed(opcode::CREATE2, &body, |r| (r.string(), r.stat()))
    }

    /// createContainer
    pub fn create_container(&mut self, path: &str, flags: i32) -> Result<(String, Stat), i32> {
        let body = create_body(path, b"", &Acl::open(), flags);
        self.typed(opcode::CREATE_CONTAINER, &body, |r| (r.string(), r.stat()))
    }

    /// createTTL
    pub fn create_ttl(
        &mut self,
        path: &str,
        data: &[u8],
        flags: i32,
        ttl: i64,
    ) -> Result<(String, Stat), i32> {
        let body = create_body(path, data, &Acl::open(), flags).long(ttl);
        self.typed(opcode::CREATE_TTL, &body, |r| (r.string(), r.stat()))
    }

    /// delete
    pub fn delete(&mut self, path: &str, version: i32) -> Result<(), i32> {
        self.typed(opcode::DELETE, &Body::new().string(path).int(version), |_| ())
    }

    /// exists
    pub fn exists(&mut self, path: &str, watch: bool) -> Result<Stat, i32> {
        self.typed(opcode::EXISTS, &Body::new().string(path).boolean(watch), ReplyReader::stat)
    }

    /// getData
    pub fn get(&mut self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat), i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_DATA, &body, |r| (r.buffer(), r.stat()))
    }

    /// setData
    pub fn set(&mut self, path: &str, data: &[u8], version: i32) -> Result<Stat, i32> {
        let body = Body::new().string(path).buffer(data).int(version);
        self.typed(opcode::SET_DATA, &body, ReplyReader::stat)
    }

    /// getACL
    pub fn acl(&mut self, path: &str) -> Result<(Vec<Acl>, Stat), i32> {
        self.typed(opcode::GET_ACL, &Body::new().string(path), |r| (r.acls(), r.stat()))
    }

    /// setACL
    pub fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, i32> {
        let body = Body::new().string(path).acls(acl).int(version);
        self.typed(opcode::SET_ACL, &body, ReplyReader::stat)
    }

    /// getChildren, sorted
    pub fn children(&mut self, path: &str, watch: bool) -> Result<Vec<String>, i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_CHILDREN, &body, |r| sorted(r.vector(ReplyReader::string)))
    }

    /// getChildren2, sorted
    pub fn children2(&mut self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), i32> {
        let body = Body::new().string(path).boolean(watch);
        self.typed(opcode::GET_CHILDREN2, &body, |r| {
            (sorted(r.vector(ReplyReader::string)), r.stat())
        })
    }

    /// getAllChildrenNumber
    pub fn all_children_number(&mut self, path: &str) -> Result<i32, i32> {
        self.typed(opcode::GET_ALL_CHILDREN_NUMBER, &Body::new().string(path), ReplyReader::int)
    }

    /// getEphemerals, sorted
    pub fn ephemerals(&mut self, prefix: &str) -> Result<Vec<String>, i32> {
        let body = Body::new().string(prefix);
        self.typed(opcode::GET_EPHEMERALS, &body, |r| sorted(r.vector(ReplyReader::string)))
    }

    /// sync
    pub fn sync(&mut self, path: &str) -> Result<String, i32> {
        self.typed(opcode::SYNC, &Body::new().string(path), ReplyReader::string)
    }
}

/// The body of create, create2 and createContainer, and the front of createTTL's.
pub fn create_body(path: &str, data: &[u8], acl: &[Acl], flags: i32) -> Body {
    Body::new().string(path).buffer(data).acls(acl).int(flags)
}

pub(super) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
