//! The wire format: big-endian numbers, counted strings and buffers, and records of them.

/// A request's body under construction.
#[must_use]
#[derive(Debug, Clone, Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// An empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte, 0 or 1.
    pub fn boolean(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    /// Four bytes.
    pub fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Eight bytes.
    pub fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A count and that many bytes; null is the count -1.
    pub fn buffer<'a>(mut self, value: impl Into<Option<&'a [u8]>>) -> Self {
        match value.into() {
            None => self.int(-1),
            Some(bytes) => {
                self = self.int(i32::try_from(bytes.len()).expect("test data is small"));
                self.0.extend(bytes);
                self
            }
        }
    }

    /// A string, laid out as a buffer.
    pub fn string(self, value: &str) -> Self {
        self.buffer(value.as_bytes())
    }

    /// A count and that many strings.
    pub fn strings(self, values: &[&str]) -> Self {
        let count = i32::try_from(values.len()).expect("test data is small");
        values.iter().fold(self.int(count), |body, value| body.string(value))
    }

    /// A count and that many entries of permissions, scheme and identity.
    pub fn acls(self, values: &[Acl]) -> Self {
        let count = i32::try_from(values.len()).expect("test data is small");
        values.iter().fold(self.int(count), |body, acl| {
            body.int(acl.permissions).string(&acl.scheme).string(&acl.id)
        })
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// Reads a reply from front to back; every method panics if the bytes end too early.
#[derive(Debug)]
pub struct ReplyReader {
    bytes: Vec<u8>,
    position: usize,
}

impl ReplyReader {
    /// A reader at the first byte.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), position: 0 }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let rest = &self.bytes[self.position..];
        assert!(count <= rest.len(), "{count} bytes wanted, {} left", rest.len());
        self.position += count;
        &rest[..count]
    }

    /// One byte, which must be 0 or 1.
    pub fn boolean(&mut self) -> bool {
        match self.take(1)[0] {
            0 => false,
            1 => true,
            other => panic!("boolean {other}"),
        }
    }

    /// Four bytes.
    pub fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    /// Eight bytes.
    pub fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    /// A counted buffer; `None` where the count is -1.
    pub fn buffer(&mut self) -> Option<Vec<u8>> {
        match self.int() {
            -1 => None,
            count => Some(self.take(usize::try_from(count).expect("count of a buffer")).to_vec()),
        }
    }

    /// A string that is not null.
    pub fn string(&mut self) -> String {
        String::from_utf8(self.buffer().expect("string is null")).expect("string is UTF-8")
    }

    /// A counted vector that is not null.
    pub fn vector<T>(&mut self, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.int();
        assert!(count >= 0, "vector is null");
        (0..count).map(|_| element(self)).collect()
    }

    /// The 68 bytes of a node's Stat.
    pub fn stat(&mut self) -> Stat {
        Stat {
            czxid: self.long(),
            mzxid: self.long(),
            ctime: self.long(),
            mtime: self.long(),
            version: self.int(),
            cversion: self.int(),
            aversion: self.int(),
            ephemeral_owner: self.long(),
            data_length: self.int(),
            num_children: self.int(),
            pzxid: self.long(),
        }
    }

    /// A counted vector of ACL entries.
    pub fn acls(&mut self) -> Vec<Acl> {
        self.vector(|r| Acl { permissions: r.int(), scheme: r.string(), id: r.string() })
    }

    /// Ends the reading.
    ///
    /// # Panics
    /// If bytes are left.
    pub fn finish(&self) {
        let rest = &self.bytes[self.position..];
        assert!(rest.is_empty(), "{} bytes too many: {rest:?}", rest.len());
    }

    /// Whether every byte was read.
    pub fn is_finished(&self) -> bool {
        self.position == self.bytes.len()
    }
}

/// A node's Stat, as a client sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the protocol's own.
pub struct Stat {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub ephemeral_owner: i64,
    pub data_length: i32,
    pub num_children: i32,
    pub pzxid: i64,
}

/// One entry of an access control list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16.
    pub permissions: i32,
    /// world, auth, digest, ip, super.
    pub scheme: String,
    /// The identity, as the scheme defines it.
    pub id: String,
}

impl Acl {
    /// One entry.
    pub fn new(permissions: i32, scheme: &str, id: &str) -> Self {
        Self { permissions, scheme: scheme.to_owned(), id: id.to_owned() }
    }

    /// The list that allows everything to everyone.
    pub fn open() -> Vec<Self> {
        vec![Self::new(31, "world", "anyone")]
    }
}

/// A watch that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// 1 created, 2 deleted, 3 data changed, 4 children changed.
    pub kind: i32,
    /// 3 is connected.
    pub state: i32,
    /// The node, or for kind 4 the parent.
    pub path: String,
    /// The txn that caused it; -1 for an event of setWatches.
    pub zxid: i64,
}
