use std::pin::pin;

use tokio::sync::mpsc;

use super::*;

fn telling(events: Receiver<&'static str>, pace: Duration) -> Telling<&'static str> {
    let line = |event: &'static str| Bytes::from_static(event.as_bytes());
    Telling { first: Some("first"), events, line, pace, sent: None }
}

#[tokio::test]
async fn only_what_follows_the_first_line_is_held_back() {
    let (sender, events) = mpsc::channel(8);
    let mut pieces = pin!(telling(events, Duration::from_secs(3600)).pieces());
    assert_eq!(pieces.next().await.unwrap(), "first");
    for event in ["a", "", "b"] {
        sender.send(event).await.unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_millis(20), pieces.next()).await.is_err());
}

#[tokio::test]
async fn the_end_is_not_held_back() {
    let (sender, events) = mpsc::channel(8);
    let mut pieces = pin!(telling(events, Duration::from_secs(3600)).pieces());
    assert_eq!(pieces.next().await.unwrap(), "first");
    for event in ["a", "", "b"] {
        sender.send(event).await.unwrap();
    }
    drop(sender);
    assert_eq!(pieces.next().await.unwrap(), "ab");
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn lines_are_sent_when_it_is_time() {
    let (sender, events) = mpsc::channel(8);
    let mut pieces = pin!(telling(events, PACE).pieces());
    assert_eq!(pieces.next().await.unwrap(), "first");
    sender.send("a").await.unwrap();
    assert_eq!(pieces.next().await.unwrap(), "a");
}

#[tokio::test]
async fn no_more_is_held_back_than_fits() {
    const LINE: &str = "a line of sixteen";
    let (sender, events) = mpsc::channel(MOST);
    for _ in 0..MOST / LINE.len() + 100 {
        sender.send(LINE).await.unwrap();
    }
    let mut pieces = pin!(telling(events, Duration::from_secs(3600)).pieces());
    let first = pieces.next().await.unwrap();
    assert!((MOST..MOST + LINE.len()).contains(&first.len()), "{}", first.len());
}
