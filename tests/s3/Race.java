import io.delta.storage.LogStore;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.FileAlreadyExistsException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Commits versions 0, 1, 2 ... of a log by a LogStore, each at the moment that a line of standard input tells, and
 * prints of each when it began and ended (nanoseconds) and whether it was committed.
 */
public class Race {
  public static void main(String[] args) throws Exception {
    String store = args[0], log = args[1], writer = args[2];
    Configuration conf = new Configuration();
    for (int i = 3; i < args.length; i++) {
      String[] setting = args[i].split("=", 2);
      conf.set(setting[0], setting[1]);
    }
    LogStore logs = (LogStore) Class.forName(store).getConstructor(Configuration.class).newInstance(conf);
    for (int i = 0; i < 20; i++) {
      commit(logs, new Path(log, "warm-up-" + writer + "-" + i), writer, conf);
    }
    System.out.println("ready");
    BufferedReader moments = new BufferedReader(new InputStreamReader(System.in));
    String moment;
    for (int version = 0; (moment = moments.readLine()) != null; version++) {
      while (System.nanoTime() < Long.parseLong(moment)) {
        Thread.onSpinWait();
      }
      long began = System.nanoTime();
      boolean won = commit(logs, new Path(log, String.format("%020d.json", version)), writer, conf);
      System.out.println(version + " " + began + " " + System.nanoTime() + " " + won);
    }
  }

  private static boolean commit(LogStore logs, Path path, String writer, Configuration conf) throws Exception {
    try {
      logs.write(path, List.of("{\"writer\": \"" + writer + "\"}").iterator(), false, conf);
      return true;
    } catch (FileAlreadyExistsException lost) {
      return false;
    }
  }
}
