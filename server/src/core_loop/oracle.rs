//! The oracle's file: whether this server may decide alone (`oraclePath`).
//!
//! It is read each time when agreement asks, on a thread of its own, since it may lie where reading
//! takes long. The thread is begun by the first question.
//!
//! Source: ZooKeeper 3.9.5, `QuorumOracleMaj.askOracle`: only the first character counts, and what
//! cannot be read is a no.

use super::inbox::{LoopInbox, LoopMessage};
use crate::threads;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use tracing::{info, warn};

/// Asks the oracle.
pub(super) struct OracleFile {
    path: PathBuf,
    /// Once it was asked.
    questions: Option<Sender<()>>,
}

impl OracleFile {
    /// That of this file, which need not exist.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, questions: None }
    }

    /// Asks; the loop gets the answer. One question at a time.
    pub(super) fn ask(&mut self, inbox: &Arc<LoopInbox>) {
        if self.questions.is_none() {
            self.questions = match begin(self.path.clone(), inbox.clone()) {
                Ok(questions) => Some(questions),
                Err(error) => {
                    warn!("no thread could be started to read the oracle: {error}; counts as no");
                    None
                }
            };
        }
        let asked = self.questions.as_ref().is_some_and(|it| it.send(()).is_ok());
        if !asked {
            self.questions = None;
            inbox.send(LoopMessage::OracleSaid(false));
        }
    }
}

fn begin(path: PathBuf, inbox: Arc<LoopInbox>) -> io::Result<Sender<()>> {
    let (questions, asked) = channel();
    let work = move || {
        let mut last = None;
        for () in asked {
            let answer = Answer::read(&path);
            let permits = answer == Answer::Yes;
            if last.as_ref() != Some(&answer) {
                answer.log(&path);
                last = Some(answer);
            }
            inbox.send(LoopMessage::OracleSaid(permits));
        }
    };
    threads::spawn("oracle", work)?;
    Ok(questions)
}

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    /// This byte comes first; none in an empty file.
    No(Option<u8>),
    Unreadable(String),
}

impl Answer {
    fn read(path: &Path) -> Self {
        let mut first = [0];
        match File::open(path).and_then(|mut file| file.read(&mut first)) {
            Ok(0) => Self::No(None),
            Ok(_) if first == *b"1" => Self::Yes,
            Ok(_) => Self::No(Some(first[0])),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    fn log(&self, path: &Path) {
        let path = path.display();
        match self {
            Self::Yes => info!("the oracle {path} lets this server decide without the other one"),
            Self::No(Some(b'0')) => {
                info!("the oracle {path} does not let this server decide without the other one");
            }
            Self::No(None) => warn!("the oracle {path} is empty, which counts as 0: write 0 or 1"),
            Self::No(Some(other)) => warn!(
                "the oracle {path} begins with {:?}, which counts as 0: write 0 or 1",
                char::from(*other)
            ),
            Self::Unreadable(error) => warn!(
                "the oracle {path} cannot be read ({error}), which counts as 0: write 0 or 1 to it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_one_at_the_beginning_permits() {
        let path = std::env::temp_dir().join(format!("ringkeeper-oracle-{}", std::process::id()));
        assert!(matches!(Answer::read(&path), Answer::Unreadable(_)));
        for (text, answer) in [
            ("1", Answer::Yes),
            ("1\n", Answer::Yes),
            ("10", Answer::Yes),
            ("0\n", Answer::No(Some(b'0'))),
            ("", Answer::No(None)),
            (" 1", Answer::No(Some(b' '))),
            ("\u{feff}1", Answer::No(Some(0xef))),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Answer::read(&path), answer, "{text:?}");
        }
        std::fs::remove_file(&path).unwrap();
        let folder = std::env::temp_dir();
        assert!(matches!(Answer::read(&folder), Answer::Unreadable(_)));
    }

    #[test]
    fn each_question_is_answered_by_what_the_file_says_then() {
        let path = std::env::temp_dir().join(format!("ringkeeper-asked-{}", std::process::id()));
        let inbox = Arc::new(LoopInbox::default());
        let mut oracle = OracleFile::new(path.clone());
        for (text, expected) in [("0", false), ("1", true), ("0", false)] {
            std::fs::write(&path, text).unwrap();
            oracle.ask(&inbox);
            let answer = loop {
                if let Some(message) = inbox.take().pop() {
                    break message;
                }
                std::thread::yield_now();
            };
            let LoopMessage::OracleSaid(permits) = answer else { panic!("another message") };
            assert_eq!(permits, expected, "{text}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
