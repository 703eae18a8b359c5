package headgate;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.util.DateTimeUtils;
import org.apache.spark.sql.catalyst.util.StringUtils;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/** Text as a value of a type: exactly, or not at all. What Spark's own casts read is read here too, by Spark. */
final class Scalar {
  /** A longer number is none: what it costs to read one grows with the square of its digits. */
  private static final int LONGEST_NUMBER = 1000;
  /** Of a bigint. */
  private static final int MOST_DIGITS = 19;

  private static final long FIRST_DAY = LocalDate.of(1, 1, 1).toEpochDay();
  private static final long LAST_DAY = LocalDate.of(9999, 12, 31).toEpochDay();
  private static final long MICROS = 1_000_000;

  private Scalar() {}

  /** The value; null where the type cannot hold it as it is. `number`: whether JSON has it as one. */
  static Object read(DataType type, String text, boolean number) {
    if (type instanceof StringType) {
      return text;
    }
    if (type instanceof DecimalType) {
      return decimal(text, (DecimalType) type);
    }
    if (type instanceof LongType) {
      return whole(text, number);
    }
    if (type instanceof IntegerType) {
      Long value = whole(text, number);
      return value != null && value.intValue() == value ? (Object) value.intValue() : null;
    }
    if (type instanceof BooleanType) {
      return truth(UTF8String.fromString(text));
    }
    if (type instanceof TimestampType) {
      return moment(UTF8String.fromString(text));
    }
    if (type instanceof DateType) {
      Integer day = day(UTF8String.fromString(text));
      return day == null ? null : LocalDate.ofEpochDay(day);
    }
    if (type instanceof DoubleType) {
      return real(text);
    }
    throw new IllegalArgumentException("no contract has the type " + type.simpleString());
  }

  private static BigDecimal decimal(String text, DecimalType type) {
    BigDecimal value = number(text);
    return value != null && fits(value, type.precision(), type.scale()) ? value.setScale(type.scale()) : null;
  }

  /** A number of JSON may have a fraction of zeros; an exponent is of numbers that need not be whole. */
  private static Long whole(String text, boolean number) {
    boolean isExact = number && text.indexOf('.') >= 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0;
    BigDecimal value = isExact ? number(text) : null;
    String digits = value != null && fits(value, MOST_DIGITS, 0) ? value.toPlainString() : text;
    try {
      return UTF8String.fromString(digits).toLongExact();
    } catch (NumberFormatException none) {
      return null;
    }
  }

  /** Without the zeros at its end, so that how many digits it needs is told before they are written out. */
  private static BigDecimal number(String text) {
    if (text.length() > LONGEST_NUMBER) {
      return null;
    }
    try {
      return new BigDecimal(text.trim()).stripTrailingZeros();
    } catch (NumberFormatException none) {
      return null;
    }
  }

  private static boolean fits(BigDecimal value, int precision, int scale) {
    long wholeDigits = (long) value.precision() - value.scale();
    return value.scale() <= scale && (wholeDigits <= precision - scale || value.signum() == 0);
  }

  private static Object truth(UTF8String text) {
    return StringUtils.isTrueString(text) ? (Object) true : StringUtils.isFalseString(text) ? (Object) false : null;
  }

  /** A time without a date would be one of today, and a spreadsheet's 46082 a year: neither is a moment. */
  private static Instant moment(UTF8String text) {
    if (day(text) == null) {
      return null;
    }
    Option<Object> micros = DateTimeUtils.stringToTimestamp(text, ZoneOffset.UTC);
    if (micros.isEmpty()) {
      return null;
    }
    long told = (Long) micros.get();
    return Instant.ofEpochSecond(Math.floorDiv(told, MICROS), Math.floorMod(told, MICROS) * 1000);
  }

  private static Integer day(UTF8String text) {
    Option<Object> found = DateTimeUtils.stringToDate(text);
    if (found.isEmpty()) {
      return null;
    }
    int day = (Integer) found.get();
    return day < FIRST_DAY || day > LAST_DAY ? null : day;
  }

  private static Object real(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException none) {
      return Cast.processFloatingPointSpecialLiterals(text, false);
    }
  }
}
