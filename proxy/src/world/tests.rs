//! Time and chance of simulated worlds.

use super::*;

#[tokio::test]
async fn time_moves_only_when_told_and_chance_repeats_itself() {
    let begin = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let [one, two, other] = [(begin, 1), (begin, 1), (begin, 2)].map(|(wall, seed)| World::simulated(wall, seed));
    assert_eq!((one.now().wall, one.seconds()), (begin, 1_767_225_600));
    one.advance(Duration::from_millis(1500)).await;
    assert_eq!(one.now().wall, begin + Duration::from_millis(1500));
    assert_eq!(one.clone().now().mono.duration_since(one.now().mono), Duration::ZERO);
    let (first, second) = (one.request_id(), one.request_id());
    assert_eq!(first.len(), 56);
    assert_ne!(first, second);
    assert_eq!(first, two.request_id());
    assert_ne!(first, other.request_id());
    assert_eq!(one.of_run().map(|(millis, _)| millis), Some(1_767_225_601_500));
    assert!(World::Real.of_run().is_none());
}

use std::task::Poll;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    World::simulated(UNIX_EPOCH, 0)
}

fn waited(world: &World, begun: Instant) -> u64 {
    world.since(begun).as_secs()
}

#[tokio::test]
async fn what_a_viewer_waits_for_passes_at_once_and_moves_no_clock() {
    let world = world();
    let begun = world.instant();
    world.viewer(world.sleep(90 * SECOND)).await;
    assert_eq!((waited(&world, begun), world.now().wall), (90, UNIX_EPOCH));
}

#[tokio::test]
async fn deadlines_come_before_or_after_delays_as_real_ones() {
    let world = world();
    let begun = world.instant();
    let in_time = |deadline, delay| {
        let world = &world;
        world.viewer(async move {
            let end = world.instant() + deadline * SECOND;
            world.until(end, world.sleep(delay * SECOND)).await.is_some()
        })
    };
    assert!(in_time(3, 2).await);
    assert_eq!(waited(&world, begun), 2);
    assert!(!in_time(3, 4).await);
    assert_eq!(waited(&world, begun), 5);
    // Together: what the first waits for is over before the second's deadline.
    let (first, second, third) = tokio::join!(in_time(10, 1), in_time(2, 3), in_time(4, 4));
    assert_eq!((first, second, waited(&world, begun)), (true, false, 9));
    let _ = third; // both at the same moment: either may be first
}

#[tokio::test]
async fn tasks_in_the_background_wait_for_time_to_be_passed() {
    let world = world();
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    for delay in [3, 1, 2] {
        let (own, sender) = (world.clone(), sender.clone());
        world.spawn(async move {
            own.sleep(delay * SECOND).await;
            sender.send((delay, own.seconds())).unwrap();
        });
    }
    world.settled().await;
    assert!(seen.try_recv().is_err(), "nobody lets time pass");
    world.advance(2 * SECOND).await;
    assert_eq!((seen.try_recv(), seen.try_recv()), (Ok((1, 1)), Ok((2, 2))), "in order, each at its moment");
    assert!(seen.try_recv().is_err());
    // A viewer's wait lets the rest of their time pass too.
    world.viewer(world.sleep(SECOND)).await;
    world.settled().await;
    assert_eq!(seen.try_recv(), Ok((3, 2)), "by the clock no time has passed");
}

#[tokio::test]
async fn nothing_passes_while_something_goes_on_outside() {
    let world = world();
    let busy = world.busy();
    let mut waiting = std::pin::pin!(world.viewer(world.sleep(SECOND)));
    for _ in 0..2 {
        let pending = std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending()));
        assert!(pending.await);
    }
    drop(busy);
    waiting.await;
}

#[tokio::test]
async fn a_world_takes_its_tasks_with_it() {
    let world = world();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let own = world.clone();
    world.spawn(async move {
        own.sleep(SECOND).await;
        drop(sender);
    });
    world.settled().await;
    world.end();
    receiver.await.unwrap_err();
    world.advance(2 * SECOND).await;
}

/// Whoever is told something has it before time goes on, on however many threads all that happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_time_passes_between_a_cause_and_its_effect() {
    for round in 0..200 {
        let world = world();
        let begun = world.instant();
        let mut chain = Vec::new();
        let (first, mut receiver) = tokio::sync::oneshot::channel();
        first.send(0).unwrap();
        for link in 1..=20 {
            let (sender, next) = tokio::sync::oneshot::channel();
            let (own, before) = (world.clone(), std::mem::replace(&mut receiver, next));
            let task = async move {
                let passed = before.await.unwrap();
                assert_eq!(waited(&own, begun), passed, "round {round}, link {link}");
                own.sleep(SECOND).await;
                sender.send(passed + 1).unwrap();
            };
            if link % 2 == 0 { world.spawn(task) } else { chain.push(task) }
        }
        // Somebody is always waiting for a moment that comes later.
        let (own, late) = (world.clone(), world.clone());
        let ticking = async move {
            for tick in 1..=30 {
                own.sleep(SECOND).await;
                assert_eq!(waited(&own, begun), tick);
            }
        };
        let last = async move { assert_eq!(late.until(begun + 1000 * SECOND, receiver).await, Some(Ok(20))) };
        let chain = futures_util::future::join_all(chain.into_iter().map(|task| world.viewer(task)));
        let ((), (), _) = tokio::join!(world.viewer(ticking), world.viewer(last), chain);
        world.settled().await;
    }
}
