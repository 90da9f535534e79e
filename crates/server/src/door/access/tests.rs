//! Whose page it is.

use super::*;
use crate::door::caller::tests::headers;

#[test]
fn only_a_page_of_ours_may_change_something() {
    for (given, ours) in [
        (&[("sec-fetch-site", "same-origin")] as &[_], true),
        (
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a:7077"), ("host", "a:7077")],
            false,
        ),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("origin", "http://a:7077"), ("host", "a:7077")], true),
        (&[("origin", "http://a:8080"), ("host", "a:7077")], false),
        (&[("origin", "null"), ("host", "a:7077")], false),
        (&[("host", "a:7077")], false),
    ] {
        assert_eq!(is_same_origin(&headers(given)), ours, "{given:?}");
    }
}
