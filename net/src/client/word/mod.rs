//! Four-letter words: what monitoring sends instead of a frame's length.

#[cfg(test)]
mod tests;

macro_rules! words {
    ($($variant:ident $bytes:literal $doc:literal)+) => {
        /// A word that `ZooKeeper` 3.9 knows, whether it is enabled or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FourLetterWord {
            $(#[doc = $doc] $variant,)+
        }

        impl FourLetterWord {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that a connection opens with, if it is one.
            pub fn of(bytes: [u8; 4]) -> Option<Self> {
                match &bytes {
                    $($bytes => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// As it is on the wire.
            pub fn bytes(self) -> [u8; 4] {
                match self {
                    $(Self::$variant => *$bytes,)+
                }
            }
        }
    };
}

words! {
    Conf b"conf" "The configuration."
    Cons b"cons" "Each connection, with its numbers."
    Crst b"crst" "Resets the numbers of the connections."
    Dirs b"dirs" "Sizes of the data directories."
    Dump b"dump" "Sessions and their ephemerals."
    Envi b"envi" "The environment."
    Gtmk b"gtmk" "The trace mask."
    Ruok b"ruok" "Are you ok?"
    Stmk b"stmk" "Sets the trace mask, the 8 bytes that follow."
    Srvr b"srvr" "The server, without its connections."
    Srst b"srst" "Resets the server's numbers."
    Stat b"stat" "The server and its connections."
    Wchc b"wchc" "Watches by session."
    Wchp b"wchp" "Watches by path."
    Wchs b"wchs" "Watches in short."
    Mntr b"mntr" "Numbers for monitoring."
    Isro b"isro" "Read-only or not."
    Hash b"hash" "The digests of the tree."
    TelnetClose b"\xff\xf4\xff\xfd" "A telnet client interrupted by its user."
}

impl FourLetterWord {
    /// Its name in messages and in the list of enabled words.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 19] = [
            "conf",
            "cons",
            "crst",
            "dirs",
            "dump",
            "envi",
            "gtmk",
            "ruok",
            "stmk",
            "srvr",
            "srst",
            "stat",
            "wchc",
            "wchp",
            "wchs",
            "mntr",
            "isro",
            "hash",
            "telnet close",
        ];
        NAMES[self as usize]
    }

    /// How many bytes follow the word.
    pub fn argument_bytes(self) -> usize {
        if self == Self::Stmk { 8 } else { 0 }
    }
}
