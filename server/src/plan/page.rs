//! The answer as one page of HTML that needs nothing else.

use super::Shown;
use super::picture;
use super::text::{summary, text};

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The page.
pub(super) fn page(shown: &Shown<'_>) -> String {
    let rows = summary(shown).into_iter().map(|(name, value)| {
        format!("<tr><th>{}</th><td>{}</td></tr>\n", escaped(name), escaped(&value))
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>ringkeeper plan</title>\n<style>\n\
         body {{ font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}\n\
         th {{ text-align: left; padding-right: 1rem }}\npre {{ overflow-x: auto }}\n\
         svg {{ width: 100% }}\n</style>\n</head>\n<body>\n<h1>Plan</h1>\n<table>\n{}</table>\n\
         <h2>How busy each stage is</h2>\n{}<h2>99th percentile by rate</h2>\n{}\
         <h2>In full</h2>\n<pre>{}</pre>\n</body>\n</html>\n",
        rows.collect::<String>(),
        picture::stages(shown),
        picture::latencies(shown),
        escaped(&text(shown))
    )
}
