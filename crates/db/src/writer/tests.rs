//! Who shares a commit with whom, and what becomes of it when SQLite or a client ends something in the middle.

use sqlx::Row as _;

use super::*;

/// Writes a row, in a transaction that was begun.
async fn write(writer: &mut Writer, number: i64) {
    sqlx::query("insert into t (number) values ($1)").bind(number).execute(writer.connection()).await.unwrap();
}

/// How many rows somebody else sees.
async fn seen(options: &SqliteConnectOptions) -> i64 {
    let mut other = options.connect().await.unwrap();
    sqlx::query("select count(*) as count from t").fetch_one(&mut other).await.unwrap().get("count")
}

/// Waits until so many stand in the queue.
async fn until_waiting(writers: &Writers, count: usize) {
    while writers.waiting.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Who is done while another waits is told nothing before the commit that both share; alone, each commits by itself.
#[tokio::test]
async fn who_writes_while_others_wait_shares_their_commit() {
    let (_folder, options, writers) = opened().await;
    let mut alone = writers.begin().await.unwrap();
    write(&mut alone, 1).await;
    alone.commit().await.unwrap();
    assert_eq!(seen(&options).await, 1);

    let mut first = writers.begin().await.unwrap();
    let (queue, runtime) = (Arc::clone(&writers), Handle::current());
    let second = runtime.spawn(async move { queue.begin().await });
    until_waiting(&writers, 1).await;
    write(&mut first, 2).await;
    let first = runtime.spawn(first.commit());
    let mut second = second.await.unwrap().unwrap();
    assert!(second.share == Share::Part);
    write(&mut second, 3).await;
    assert!(!first.is_finished());
    assert_eq!(seen(&options).await, 1, "one is durable before the other");
    second.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&options).await, 3);
    writers.close().await.unwrap();
}

/// A file with a table, and its writers.
async fn opened() -> (tempfile::TempDir, SqliteConnectOptions, Arc<Writers>) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("shop.db")).create_if_missing(true);
    let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let writers = Arc::new(Writers::open(options.clone()).await.unwrap());
    let mut alone = writers.begin().await.unwrap();
    sqlx::raw_sql("create table t (number integer)").execute(alone.connection()).await.unwrap();
    assert!(alone.share == Share::Whole);
    alone.commit().await.unwrap();
    (folder, options, writers)
}

/// Begins, in a task, what waits for its turn from then on.
async fn queued(
    writers: &Arc<Writers>,
    before: usize,
    is_single: bool,
) -> tokio::task::JoinHandle<Result<Writer, Error>> {
    let queue = Arc::clone(writers);
    let begun =
        Handle::current().spawn(async move { if is_single { queue.single().await } else { queue.begin().await } });
    until_waiting(writers, before + 1).await;
    begun
}

/// A single statement has no savepoint and is committed with the others', also where nobody says so; what goes back does so by
/// itself.
#[tokio::test]
async fn a_single_statement_goes_with_the_others() {
    let (_folder, options, writers) = opened().await;
    let mut first = writers.begin().await.unwrap();
    let single = queued(&writers, 0, true).await;
    let part = queued(&writers, 1, false).await;
    let last = queued(&writers, 2, true).await;
    write(&mut first, 1).await;
    let first = Handle::current().spawn(first.commit());
    let mut single = single.await.unwrap().unwrap();
    assert!(single.share == Share::Statement);
    write(&mut single, 2).await;
    let single = Handle::current().spawn(single.commit());
    let mut part = part.await.unwrap().unwrap();
    assert!(part.share == Share::Part);
    write(&mut part, 3).await;
    assert_eq!(seen(&options).await, 0);
    drop(part);
    let mut last = last.await.unwrap().unwrap();
    assert!(last.share == Share::Statement);
    write(&mut last, 4).await;
    drop(last);
    first.await.unwrap().unwrap();
    single.await.unwrap().unwrap();
    // Whoever comes next finds that the others are done.
    assert!(writers.begin().await.unwrap().share == Share::Whole);
    assert_eq!(seen(&options).await, 3, "all but what was taken back");
}

/// SQLite takes everything back by itself where there is no room. Who wrote before is told, and who comes next loses nothing.
#[tokio::test]
async fn when_sqlite_ends_the_transaction_its_members_hear_it() {
    for (ends_in_single, is_single) in [(false, false), (false, true), (true, false), (true, true)] {
        let (_folder, options, writers) = opened().await;
        let mut first = writers.begin().await.unwrap();
        let second = queued(&writers, 0, ends_in_single).await;
        let third = queued(&writers, 1, is_single).await;
        write(&mut first, 1).await;
        let first = Handle::current().spawn(first.commit());
        let mut second = second.await.unwrap().unwrap();
        sqlx::raw_sql("rollback").execute(second.connection()).await.unwrap();
        drop(second);
        let told = first.await.unwrap().unwrap_err();
        assert!(told.to_string().contains("the commit of several failed"), "{told}");
        let mut third = third.await.unwrap().unwrap();
        assert!(third.share == Share::Whole);
        write(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(seen(&options).await, 1);
    }
}

/// The same where the first does not notice, and says that it is done: it hears it at once, whoever waits.
#[tokio::test]
async fn what_sqlite_ended_unnoticed_of_the_first_is_noticed_before_another_joins() {
    for is_single in [false, true] {
        let (_folder, options, writers) = opened().await;
        let mut first = writers.begin().await.unwrap();
        let second = queued(&writers, 0, is_single).await;
        write(&mut first, 1).await;
        sqlx::raw_sql("rollback").execute(first.connection()).await.unwrap();
        let first = Handle::current().spawn(first.commit());
        let mut second = second.await.unwrap().unwrap();
        assert!(first.await.unwrap().is_err());
        assert!(second.share == Share::Whole);
        write(&mut second, 2).await;
        second.commit().await.unwrap();
        assert_eq!(seen(&options).await, 1);
    }
}

/// A database that is used again in another runtime, after one that ended in the middle of a transaction.
#[test]
fn what_an_ended_runtime_left_open_is_committed_by_nobody() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime();
    let (_folder, options, writers) = ended.block_on(async {
        let (folder, options, writers) = opened().await;
        let mut first = writers.begin().await.unwrap();
        write(&mut first, 1).await;
        // Held by a task that never ends, so that it is dropped with the runtime.
        drop(Handle::current().spawn(async move {
            let _first = first;
            std::future::pending::<()>().await;
        }));
        (folder, options, writers)
    });
    ended.shutdown_timeout(Duration::from_secs(5));
    runtime().block_on(async {
        let mut next = writers.begin().await.unwrap();
        assert!(next.share == Share::Whole);
        write(&mut next, 2).await;
        next.commit().await.unwrap();
        assert_eq!(seen(&options).await, 1);
    });
}

/// The same where the one in the middle does not notice, and says that it is done.
#[tokio::test]
async fn what_sqlite_ended_unnoticed_is_noticed_by_the_next() {
    let (_folder, options, writers) = opened().await;
    let mut first = writers.begin().await.unwrap();
    let second = queued(&writers, 0, false).await;
    let third = queued(&writers, 1, false).await;
    write(&mut first, 1).await;
    let first = Handle::current().spawn(first.commit());
    let mut second = second.await.unwrap().unwrap();
    sqlx::raw_sql("rollback").execute(second.connection()).await.unwrap();
    let second = Handle::current().spawn(second.commit());
    let mut third = third.await.unwrap().unwrap();
    assert!(first.await.unwrap().is_err() && second.await.unwrap().is_err());
    assert!(third.share == Share::Whole);
    write(&mut third, 3).await;
    third.commit().await.unwrap();
    assert_eq!(seen(&options).await, 1);
}

/// Who goes away while its part begins takes nothing of the others' along, whether it follows the first or a part.
#[tokio::test]
async fn a_beginning_that_is_cut_off_costs_nobody_anything() {
    for (with_part, polls) in
        [false, true].into_iter().flat_map(|with_part| (0..4).map(move |polls| (with_part, polls)))
    {
        let (_folder, options, writers) = opened().await;
        let mut last = writers.begin().await.unwrap();
        write(&mut last, 1).await;
        let mut before = None;
        if with_part {
            let part = queued(&writers, 0, false).await;
            before = Some(Handle::current().spawn(last.commit()));
            last = part.await.unwrap().unwrap();
            write(&mut last, 2).await;
        }
        let mut cut = Box::pin(writers.begin());
        assert!(polled(cut.as_mut()).await.is_pending());
        let last = Handle::current().spawn(last.commit());
        for _ in 0..polls {
            tokio::task::yield_now().await;
            // It may be done by then: what has begun goes away, too.
            if polled(cut.as_mut()).await.is_ready() {
                break;
            }
        }
        drop(cut);
        last.await.unwrap().unwrap();
        if let Some(before) = before {
            before.await.unwrap().unwrap();
        }
        let expected = 1 + i64::from(with_part);
        assert_eq!(seen(&options).await, expected, "after {polls} polls, {with_part}");
        let mut next = writers.begin().await.unwrap();
        write(&mut next, 3).await;
        next.commit().await.unwrap();
        assert_eq!(seen(&options).await, expected + 1, "after {polls} polls, {with_part}");
    }
}

/// Lets a future run until it waits.
async fn polled<F: Future>(mut future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
}

/// A connection that cannot begin, for whatever but a busy file, fails one writer and is no more.
#[tokio::test]
async fn a_connection_that_cannot_begin_is_replaced() {
    let (_folder, options, writers) = opened().await;
    let mut seat = writers.turn().await.unwrap();
    seat.run("begin").await.unwrap();
    drop(seat);
    assert!(writers.begin().await.is_err());
    let mut next = writers.begin().await.unwrap();
    write(&mut next, 1).await;
    next.commit().await.unwrap();
    assert_eq!(seen(&options).await, 1);
}
