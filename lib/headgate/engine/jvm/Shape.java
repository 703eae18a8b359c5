package headgate;

import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The schema of a value in a contract: its type, whether it is required, and its nested fields. */
final class Shape implements Serializable {
  private static final long serialVersionUID = 1;

  final String name;
  final DataType type;
  final boolean required;
  /** Of an object; null of anything else. */
  final Shape[] fields;
  /** Of an array; null of anything else. Null is never an item. */
  final Shape item;

  private final Map<String, Integer> places = new HashMap<>();

  Shape(String name, DataType type, boolean required) {
    this.name = name;
    this.type = type;
    this.required = required;
    this.fields = type instanceof StructType ? fieldsOf((StructType) type) : null;
    this.item = type instanceof ArrayType ? new Shape("", ((ArrayType) type).elementType(), true) : null;
  }

  /** The place of the field of an object, or null where it has none of that name. */
  Integer place(String field) {
    return places.get(field);
  }

  /** The rule that a value breaks which is not of the type. */
  String rule() {
    return "type: " + (fields != null ? "object" : item != null ? "array" : type.simpleString());
  }

  private Shape[] fieldsOf(StructType struct) {
    StructField[] all = struct.fields();
    Shape[] shapes = new Shape[all.length];
    for (int place = 0; place < all.length; place++) {
      shapes[place] = new Shape(all[place].name(), all[place].dataType(), !all[place].nullable());
      places.put(all[place].name(), place);
    }
    return shapes;
  }
}
