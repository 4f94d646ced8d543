//! The same as a shell script, for people who do not want a program to change things.

use super::title;
use std::fmt::Write as _;
use tuning::Kernel;
use tuning::tuner::{Advice, Setting, text_of};

const HEAD: &str = "\
set -u
refused=0

# put FILE VALUE: writes the value, and goes on if that is refused.
put() {
    if printf '%s\\n' \"$2\" > \"$1\"; then
        printf '%s = %s\\n' \"$1\" \"$2\"
    else
        printf '%s is not changed\\n' \"$1\" >&2
        refused=1
    fi
}
";

/// The script that changes what is not as advised, or restores what is there now.
pub(super) fn script(settings: &[Setting], kernel: &Kernel, is_undo: bool) -> String {
    let purpose = if is_undo {
        "Restores what `ringkeeper tune script` changes, as it is now."
    } else {
        "What `ringkeeper tune apply` would change. `ringkeeper tune script --undo` prints the way \
         back; print it first."
    };
    let mut text = String::from("#!/bin/sh\n");
    comment(&mut text, purpose);
    text.push_str(HEAD);
    for setting in settings {
        let found = setting.found.as_deref().unwrap_or("not known");
        match &setting.advice {
            Advice::Write { advised, changes, .. } => {
                text.push('\n');
                comment(&mut text, &format!("{}: {found} -> {advised}", title(setting)));
                comment(&mut text, &format!("Why: {}.", setting.why));
                for change in changes {
                    let Some(path) = kernel.path(&change.name) else { continue };
                    let value = if is_undo { &change.found } else { &change.advised };
                    let value = quoted(&text_of(&change.name, value));
                    let path = quoted(&path.to_string_lossy());
                    let _ = writeln!(text, "put {path} {value}");
                }
            }
            Advice::ByHand { how, .. } if !is_undo => {
                text.push('\n');
                comment(&mut text, &format!("{}: {found}. By hand: {how}.", title(setting)));
                comment(&mut text, &format!("Why: {}.", setting.why));
            }
            _ => {}
        }
    }
    text.push_str("\nexit \"$refused\"\n");
    text
}

/// Lines of a comment; nothing in the text can end it.
fn comment(text: &mut String, said: &str) {
    for line in super::table::wrapped(said, 96) {
        let _ = writeln!(text, "# {line}");
    }
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(super::quoted("a'b $c"), "'a'\\''b $c'");
        let mut text = String::new();
        super::comment(&mut text, "one\ntwo \r\u{7} three");
        assert_eq!(text, "# one two three\n");
    }
}
