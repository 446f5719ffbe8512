use super::*;

#[test]
fn types_are_those_that_docker_has() {
    assert_eq!(Types::of(&Query::parse("type=image")).unwrap(), Types { images: true, ..Types::default() });
    assert!(Types::of(&Query::parse("")).unwrap().caches);
    let error = Types::of(&Query::parse("type=image&type=zebra")).unwrap_err();
    assert_eq!(error.public(), "unknown object type: zebra");
}

#[test]
fn verbose_is_true_false_or_not_said() {
    assert_eq!(verbose(&Query::parse("")).unwrap(), None);
    assert_eq!(verbose(&Query::parse("verbose=true")).unwrap(), Some(true));
    assert_eq!(verbose(&Query::parse("verbose=0")).unwrap(), Some(false));
    assert_eq!(verbose(&Query::parse("verbose=much")).unwrap_err().public(), "invalid value for verbose: much");
}
