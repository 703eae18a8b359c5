package headgate;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.types.StructType;

/**
 * Parses a JSON record by its contract, in one pass: its typed values, and every reason why it is rejected.
 *
 * <p>Spark's own `from_json` silently rounds 12.345 to decimal(12,2), reads long decimals through a double, and does
 * not report the problem of a field. As Spark expressions the same checks are many times as much code, which Java has
 * to compile in each run.
 */
public final class RecordReader implements UDF2<String, String, Row> {
  private static final long serialVersionUID = 1;

  /** Bronze has limited a record's bytes, and has checked that it is JSON, so its depth does not matter here. */
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(Integer.MAX_VALUE)
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private final Shape record;
  private final boolean strict;
  private final int shown;

  /**
   * @param schema the contract's columns; a column that is not nullable is required
   * @param strict whether a field of the record that the contract does not name is a reason
   * @param shown the characters of a value that a reason repeats
   */
  public RecordReader(StructType schema, boolean strict, int shown) {
    this.record = new Shape("", schema, true);
    this.strict = strict;
    this.shown = shown;
  }

  /**
   * @param raw the record's text
   * @param problem the reason why it is not a record, or null
   * @return its values, null if they are invalid; and its reasons (column, rule, value), null if it is accepted
   */
  @Override
  public Row call(String raw, String problem) throws IOException {
    if (problem != null) {
      return rejected(null, List.of(reason("", "unparsable", problem)));
    }
    try (JsonParser json = JSON.createParser(raw)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return rejected(null, List.of(reason("", "unparsable", "not a JSON object")));
      }
      Reading reading = new Reading(json, raw);
      Row values = reading.object(record, strict);
      return reading.doubtful ? judged(values, reading.unknown) : RowFactory.create(values, null);
    }
  }

  private Row judged(Row values, Set<String> unknown) {
    List<Row> reasons = new ArrayList<>();
    Object kept = sound(values, record, "", reasons);
    unknown.forEach(name -> reasons.add(reason(name, "unknown field", null)));
    return reasons.isEmpty() ? RowFactory.create(kept, null) : rejected(kept, reasons);
  }

  /** The value without invalid parts; their reasons are added to `reasons`, in the order of the contract's fields. */
  private Object sound(Object value, Shape shape, String path, List<Row> reasons) {
    if (value == null) {
      if (shape.required) {
        reasons.add(reason(path, "required", null));
      }
      return null;
    }
    if (value instanceof Misfit) {
      reasons.add(reason(path, shape.rule(), ((Misfit) value).text));
      return null;
    }
    if (shape.fields != null) {
      Object[] inner = new Object[shape.fields.length];
      for (int place = 0; place < inner.length; place++) {
        Shape field = shape.fields[place];
        String at = path.isEmpty() ? field.name : path + "." + field.name;
        inner[place] = sound(((Row) value).get(place), field, at, reasons);
      }
      return RowFactory.create(inner);
    }
    if (shape.item != null) {
      Object[] inner = ((Object[]) value).clone();
      for (int place = 0; place < inner.length; place++) {
        inner[place] = sound(inner[place], shape.item, path + "[" + place + "]", reasons);
      }
      return inner;
    }
    return value;
  }

  private static Row rejected(Object values, List<Row> reasons) {
    return RowFactory.create(values, reasons.toArray());
  }

  private Row reason(String column, String rule, String value) {
    return RowFactory.create(column, rule, value == null ? null : shown(value));
  }

  private String shown(String value) {
    boolean isLong = value.codePointCount(0, Math.min(value.length(), 2 * shown)) > shown;
    return isLong ? value.substring(0, value.offsetByCodePoints(0, shown)) : value;
  }

  /** Replaces an invalid value: the value as sent. */
  private static final class Misfit {
    final String text;

    Misfit(String text) {
      this.text = text;
    }
  }

  /** One record being read. */
  private static final class Reading {
    final Set<String> unknown = new LinkedHashSet<>();
    boolean doubtful;

    private final JsonParser json;
    private final String raw;

    Reading(JsonParser json, String raw) {
      this.json = json;
      this.raw = raw;
    }

    /** Of a name that comes twice the last counts. */
    Row object(Shape shape, boolean strict) throws IOException {
      Object[] values = new Object[shape.fields.length];
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        Integer place = shape.place(name);
        json.nextToken();
        if (place != null) {
          values[place] = value(shape.fields[place]);
          continue;
        }
        json.skipChildren();
        if (strict) {
          unknown.add(name);
          doubtful = true;
        }
      }
      for (int place = 0; place < values.length; place++) {
        doubtful |= values[place] == null && shape.fields[place].required;
      }
      return RowFactory.create(values);
    }

    private Object[] array(Shape item) throws IOException {
      List<Object> values = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        Object value = value(item);
        doubtful |= value == null;
        values.add(value);
      }
      return values.toArray();
    }

    private Object value(Shape shape) throws IOException {
      JsonToken token = json.currentToken();
      if (token == JsonToken.VALUE_NULL) {
        return null;
      }
      if (shape.fields != null) {
        return token == JsonToken.START_OBJECT ? object(shape, false) : misfit(text());
      }
      if (shape.item != null) {
        return token == JsonToken.START_ARRAY ? array(shape.item) : misfit(text());
      }
      String text = text();
      Object value = Scalar.read(shape.type, text, token.isNumeric());
      return value != null ? value : misfit(text);
    }

    private Misfit misfit(String text) {
      doubtful = true;
      return new Misfit(text);
    }

    /** The value as it was sent, an object or an array too. */
    private String text() throws IOException {
      if (!json.currentToken().isStructStart()) {
        return json.getText();
      }
      int start = (int) json.currentTokenLocation().getCharOffset();
      json.skipChildren();
      return raw.substring(start, (int) json.currentLocation().getCharOffset());
    }
  }
}
