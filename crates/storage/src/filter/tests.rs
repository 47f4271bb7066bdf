//! What a filter becomes: its rules, its size, and that its text is its shape.

use super::*;

fn path(path: &str) -> Field {
    Field::new(path).unwrap()
}

fn one(name: &str, number: i128) -> Option<Filter> {
    Filter::field(path(name), &[Predicate::Integers(vec![number])])
}

fn sql(filter: Option<Filter>) -> String {
    Condition::from(&filter.unwrap()).sql
}

#[test]
fn what_cannot_be_said_leaves_an_and_and_takes_an_or_with_it() {
    let said = || one("a", 1);
    assert_eq!(Filter::all([None, said(), None]), said());
    assert_eq!(Filter::any([said(), None]), None);
    assert_eq!(Filter::all([said(), Filter::any([said(), None])]), said());
    for nothing in [Filter::all([None, None]), Filter::all([]), Filter::any([])] {
        assert_eq!(nothing, None);
    }
    for unsayable in ["a\0", "a.b.c.d.e"] {
        assert_eq!(Field::new(unsayable), None);
    }
    let texts = [
        Predicate::Texts(vec!["a\0"]),
        Predicate::Texts(vec!["b", "a\0"]),
        Predicate::TextRange("a\0", None),
        Predicate::TextRange("a", Some("b\0")),
    ];
    for text in texts {
        let also = Predicate::Is(JsonType::True);
        assert_eq!(Filter::field(path("a"), &[also, text.clone()]), None, "{text:?}");
    }
}

#[test]
fn a_filter_is_no_larger_than_sqlite_takes() {
    let many = |count: usize| (0..count).map(|n| one("a", n as i128));
    // Each asks for the value and for an array.
    assert!(Filter::any(many(FILTER_TERMS_MAX / 2)).is_some());
    assert_eq!(Filter::any(many(FILTER_TERMS_MAX / 2 + 1)), None);
    assert_eq!(Filter::all(many(FILTER_TERMS_MAX)), Filter::all(many(FILTER_TERMS_MAX / 2)));
    // What is small enough is kept beside what is not.
    let half = || Filter::any(many(FILTER_TERMS_MAX / 3));
    assert_eq!(Filter::all([half(), half(), one("b", 1)]), Filter::all([half(), one("b", 1)]));
}

#[test]
fn the_text_depends_on_the_shape_alone() {
    let of = |a, b, c: f64| {
        sql(Filter::all([
            one("a.b", a),
            Filter::any([
                one("c", b),
                Filter::field(
                    Field::Key,
                    &[Predicate::NumberRange(c, c), Predicate::Texts(vec!["x", "y"])],
                ),
            ]),
        ]))
    };
    assert_eq!(of(1, 2, 0.5), of(-7, 1 << 53, f64::INFINITY));
    assert_ne!(of(1, 2, 0.5), of((1 << 53) + 1, 2, 0.5), "beyond it numbers blur");
}

#[test]
fn every_spelling_of_a_path_is_asked_for() {
    assert_eq!(
        sql(one("a.b'", 1)),
        "(json_extract(doc, '$.\"a.b''\"') = ? OR json_extract(doc, '$.\"a\".\"b''\"') = ? \
         OR 'array' IN (json_type(doc, '$.\"a\"'), json_type(doc, '$.\"a.b''\"'), \
         json_type(doc, '$.\"a\".\"b''\"')))"
    );
    assert_eq!(sql(Filter::field(Field::Key, &[])), "(key < '')");
}
