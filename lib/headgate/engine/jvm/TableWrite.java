package headgate;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.catalyst.analysis.UnresolvedAttribute;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.delta.DeltaConfigs;
import org.apache.spark.sql.delta.DeltaLog;
import org.apache.spark.sql.delta.DeltaOperations;
import org.apache.spark.sql.delta.DeltaOptions;
import org.apache.spark.sql.delta.OptimisticTransaction;
import org.apache.spark.sql.delta.SnapshotDescriptor;
import org.apache.spark.sql.delta.actions.Action;
import org.apache.spark.sql.delta.actions.AddFile;
import org.apache.spark.sql.delta.actions.Metadata;
import org.apache.spark.sql.delta.actions.Protocol;
import org.apache.spark.sql.delta.commands.DMLUtils.TaggedCommitData;
import org.apache.spark.sql.delta.commands.WriteIntoDelta;
import org.apache.spark.sql.delta.stats.StatisticsCollection;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A write into a Delta table in two steps: files, which no reader sees, and the commit that shows them.
 *
 * <p>Delta's own writer does both in one call. Here what was written can be judged in between, and is written only
 * once; and statistics, which cost Delta's writer half as much as all the rest, come from the files' footers.
 */
public final class TableWrite {
  private static final String COLLECT = "spark.databricks.delta.stats.collect";
  private static final int READERS = 16;
  private static final int LIKELY = 64 * 1024; // bytes that hold most footers
  private static final int TAIL = 8;

  private final SparkSession session;
  private final WriteIntoDelta write;
  private final OptimisticTransaction transaction;
  private TaggedCommitData<Action> written;

  private TableWrite(SparkSession session, WriteIntoDelta write) {
    this.session = session;
    this.write = write;
    this.transaction = write.deltaLog().startTransaction(Option.empty(), Option.empty());
  }

  /**
   * Writes the files of `rows`; nothing is committed. Mode and options are those of Spark's writer, `properties` those
   * of a table that the commit makes.
   *
   * @return null where the table has a commit of the options' `txnVersion` already, or of a greater one
   */
  public static TableWrite begin(
      Dataset<Row> rows, String path, String mode, Map<String, String> options, Map<String, String> properties,
      List<String> partitionBy) {
    SparkSession session = (SparkSession) rows.sparkSession();
    return inSession(session, () -> {
      DeltaOptions chosen = new DeltaOptions(scalaMap(options), session.sessionState().conf());
      WriteIntoDelta write = new WriteIntoDelta(
          DeltaLog.forTable(session, path), SaveMode.valueOf(mode), chosen, scalaSeq(partitionBy),
          DeltaConfigs.validateConfigurations(scalaMap(properties)), rows, Option.empty(), Option.empty());
      TableWrite begun = new TableWrite(session, write);
      return begun.writeFiles() ? begun : null;
    });
  }

  private boolean writeFiles() {
    if (write.hasBeenExecuted(transaction, session, Option.apply(write.options()))) {
      return false;
    }
    Option<String> before = session.conf().getOption(COLLECT);
    session.conf().set(COLLECT, "false");
    try {
      written = write.writeAndReturnCommitData(transaction, session, Option.empty(), false);
      return true;
    } finally {
      if (before.isDefined()) {
        session.conf().set(COLLECT, before.get());
      } else {
        session.conf().unset(COLLECT);
      }
    }
  }

  /** The columns that the table has statistics of, by their dotted paths; null where it does not say. */
  public List<String> indexed() {
    Option<Seq<UnresolvedAttribute>> names =
        StatisticsCollection.configuredDeltaStatsColumnSpec(transaction.metadata()).deltaStatsColumnNamesOpt();
    return names.isEmpty() ? null : CollectionConverters.asJava(names.get()).stream()
        .map(name -> String.join(".", CollectionConverters.asJava(name.nameParts()))).toList();
  }

  /** The new files' footers: of each what a reader of Parquet looks at first. */
  public Map<String, byte[]> footers() throws IOException {
    FileSystem files = fileSystem();
    Map<String, byte[]> found = new ConcurrentHashMap<>();
    ExecutorService readers = Executors.newFixedThreadPool(READERS);
    try {
      for (Future<?> read : readers.invokeAll(added().stream().map(file -> (Callable<Void>) () -> {
        found.put(file.path(), footer(files, path(file), file.size()));
        return null;
      }).toList())) {
        read.get();
      }
    } catch (InterruptedException | ExecutionException failure) {
      throw new IOException("a footer could not be read", failure);
    } finally {
      readers.shutdownNow();
    }
    return found;
  }

  /** A file's footer: its length and a mark are the last 8 bytes. */
  private static byte[] footer(FileSystem files, Path path, long size) throws IOException {
    try (FSDataInputStream in = files.open(path)) {
      byte[] end = new byte[(int) Math.min(size, LIKELY)];
      in.readFully(size - end.length, end);
      int length = ByteBuffer.wrap(end).order(ByteOrder.LITTLE_ENDIAN).getInt(end.length - TAIL) + TAIL;
      if (length <= end.length) {
        return Arrays.copyOfRange(end, end.length - length, end.length);
      }
      byte[] whole = new byte[length];
      in.readFully(size - length, whole);
      return whole;
    }
  }

  /** The rows of the new files. */
  public Dataset<Row> rows() {
    return inSession(session, () ->
        write.deltaLog().createDataFrame(new Written(transaction), scalaSeq(added()), false, Option.empty()));
  }

  /** Shows the files that `statistics` has, by their paths as the log has them. */
  public void commit(Map<String, String> statistics, String userMetadata) {
    List<Action> actions = actions().stream()
        .filter(action -> !(action instanceof AddFile file) || statistics.containsKey(file.path()))
        .map(action ->
            action instanceof AddFile file ? withStatistics(file, statistics.get(file.path())) : action)
        .toList();
    DeltaOptions options = write.options();
    DeltaOperations.Write operation = new DeltaOperations.Write(
        write.mode(), Option.apply(write.partitionColumns()), options.replaceWhere(), Option.apply(userMetadata),
        Option.empty(), flag(options.canOverwriteSchema()), flag(options.canMergeSchema()));
    inSession(session, () ->
        transaction.commitIfNeeded(scalaSeq(actions), operation, written.stringTags()));
  }

  /** Removes the files: they will not be committed. */
  public void discard() throws IOException {
    FileSystem files = fileSystem();
    for (AddFile file : added()) {
      files.delete(path(file), false);
    }
  }

  private FileSystem fileSystem() throws IOException {
    return write.deltaLog().dataPath().getFileSystem(session.sessionState().newHadoopConf());
  }

  /** The log has paths relative to the table, and encoded as in an address. */
  private Path path(AddFile file) {
    return new Path(write.deltaLog().dataPath(), new Path(URI.create(file.path())));
  }

  private List<Action> actions() {
    return CollectionConverters.asJava(written.actions());
  }

  private List<AddFile> added() {
    return actions().stream().filter(AddFile.class::isInstance).map(AddFile.class::cast).toList();
  }

  private static AddFile withStatistics(AddFile file, String statistics) {
    return new AddFile(
        file.path(), file.partitionValues(), file.size(), file.modificationTime(), file.dataChange(), statistics,
        file.tags(), file.deletionVector(), file.baseRowId(), file.defaultRowCommitVersion(),
        file.clusteringProvider());
  }

  private static Option<Object> flag(boolean is) {
    return is ? Option.apply(true) : Option.empty();
  }

  private static <T> Seq<T> scalaSeq(List<T> list) {
    return CollectionConverters.asScala(list).toSeq();
  }

  private static scala.collection.immutable.Map<String, String> scalaMap(Map<String, String> map) {
    return scala.collection.immutable.Map.from(CollectionConverters.asScala(map));
  }

  /** Delta takes its settings from the thread's session. */
  private static <T> T inSession(SparkSession session, Supplier<T> work) {
    Option<org.apache.spark.sql.SparkSession> before = org.apache.spark.sql.SparkSession.getActiveSession();
    org.apache.spark.sql.SparkSession.setActiveSession(session);
    try {
      return work.get();
    } finally {
      if (before.isDefined()) {
        org.apache.spark.sql.SparkSession.setActiveSession(before.get());
      } else {
        org.apache.spark.sql.SparkSession.clearActiveSession();
      }
    }
  }

  /** The table as it will be, for who reads its new files. */
  private record Written(OptimisticTransaction of) implements SnapshotDescriptor {
    @Override
    public DeltaLog deltaLog() {
      return of.deltaLog();
    }

    @Override
    public long version() {
      return of.readVersion();
    }

    @Override
    public Metadata metadata() {
      return of.metadata();
    }

    @Override
    public Protocol protocol() {
      return of.protocol();
    }

    @Override
    public Option<Object> numOfFilesIfKnown() {
      return Option.empty();
    }

    @Override
    public Option<Object> sizeInBytesIfKnown() {
      return Option.empty();
    }
  }
}
