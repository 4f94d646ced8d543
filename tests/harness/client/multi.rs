//! Several operations in one request: multi and multiRead.

use super::Client;
use super::node::sorted;
use crate::opcode;
use crate::wire::{Acl, Body, ReplyReader, Stat};

/// One operation of a multi or multiRead.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // The operations' own arguments.
pub enum Op<'a> {
    Create { path: &'a str, data: &'a [u8], acl: Vec<Acl>, flags: i32 },
    Create2 { path: &'a str, data: &'a [u8], acl: Vec<Acl>, flags: i32 },
    CreateContainer { path: &'a str },
    CreateTtl { path: &'a str, flags: i32, ttl: i64 },
    Delete { path: &'a str, version: i32 },
    Set { path: &'a str, data: &'a [u8], version: i32 },
    Check { path: &'a str, version: i32 },
    Get { path: &'a str },
    Children { path: &'a str },
}

impl<'a> Op<'a> {
    /// A create of an open node.
    pub fn create(path: &'a str, data: &'a [u8], flags: i32) -> Self {
        Self::Create { path, data, acl: Acl::open(), flags }
    }

    fn encode(&self, body: Body) -> Body {
        let header = |kind| body.int(kind).boolean(false).int(-1);
        match self {
            Self::Create { path, data, acl, flags } => {
                header(opcode::CREATE).string(path).buffer(*data).acls(acl).int(*flags)
            }
            Self::Create2 { path, data, acl, flags } => {
                header(opcode::CREATE2).string(path).buffer(*data).acls(acl).int(*flags)
            }
            Self::CreateContainer { path } => header(opcode::CREATE_CONTAINER)
                .string(path)
                .buffer(&b""[..])
                .acls(&Acl::open())
                .int(4),
            Self::CreateTtl { path, flags, ttl } => header(opcode::CREATE_TTL)
                .string(path)
                .buffer(&b""[..])
                .acls(&Acl::open())
                .int(*flags)
                .long(*ttl),
            Self::Delete { path, version } => header(opcode::DELETE).string(path).int(*version),
            Self::Set { path, data, version } => {
                header(opcode::SET_DATA).string(path).buffer(*data).int(*version)
            }
            Self::Check { path, version } => header(opcode::CHECK).string(path).int(*version),
            Self::Get { path } => header(opcode::GET_DATA).string(path).boolean(false),
            Self::Children { path } => header(opcode::GET_CHILDREN).string(path).boolean(false),
        }
    }
}

/// The result of one operation of a multi or multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // As the operations.
pub enum OpResult {
    Create(String),
    Create2(String, Stat),
    Delete,
    Set(Stat),
    Check,
    Get(Option<Vec<u8>>, Stat),
    Children(Vec<String>),
    Error(i32),
}

impl Client {
    /// multi: the results in order, failed or not
    pub fn multi(&mut self, ops: &[Op<'_>]) -> Result<Vec<OpResult>, i32> {
        self.typed(opcode::MULTI, &multi_body(ops), multi_results)
    }

    /// multiRead: the results in order
    pub fn multi_read(&mut self, ops: &[Op<'_>]) -> Result<Vec<OpResult>, i32> {
        self.typed(opcode::MULTI_READ, &multi_body(ops), multi_results)
    }
}

/// The body of multi and multiRead.
pub fn multi_body(ops: &[Op<'_>]) -> Body {
    let body = ops.iter().fold(Body::new(), |body, op| op.encode(body));
    body.int(-1).boolean(true).int(-1)
}

/// The results of a multi, in order.
pub fn multi_results(r: &mut ReplyReader) -> Vec<OpResult> {
    let mut results = Vec::new();
    loop {
        let (kind, done, err) = (r.int(), r.boolean(), r.int());
        if done {
            assert_eq!((kind, err), (-1, -1), "the header that ends a multi");
            return results;
        }
        let expected = if kind == opcode::ERROR { err } else { 0 };
        assert_eq!(err, expected, "the header of a result");
        results.push(match kind {
            opcode::CREATE => OpResult::Create(r.string()),
            opcode::CREATE2 => OpResult::Create2(r.string(), r.stat()),
            opcode::DELETE => OpResult::Delete,
            opcode::SET_DATA => OpResult::Set(r.stat()),
            opcode::CHECK => OpResult::Check,
            opcode::GET_DATA => OpResult::Get(r.buffer(), r.stat()),
            opcode::GET_CHILDREN => OpResult::Children(sorted(r.vector(ReplyReader::string))),
            opcode::ERROR => {
                let body = r.int();
                assert_eq!(body, err, "header and body of an error disagree");
                OpResult::Error(err)
            }
            other => panic!("a result of type {other}"),
        });
    }
}
