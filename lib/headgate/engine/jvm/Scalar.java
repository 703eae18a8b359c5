package headgate;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.TimestampType;

/**
 * Reads text as a value of a type, exactly or not at all.
 *
 * <p>The accepted grammar is in docs/records.md ("Values"): JSON numbers and ISO 8601, in ASCII. Spark's casts are not
 * used: they read `12D` as a double, `9131` as a year and any text after a date.
 */
final class Scalar {
  /** A longer number is rejected: the cost of reading it grows with the square of its digits. */
  private static final int LONGEST_NUMBER = 1000;
  /** The digits of the largest bigint. */
  private static final int MOST_DIGITS = 19;

  private static final Set<String> TRUE = Set.of("true", "t", "yes", "y", "1");
  private static final Set<String> FALSE = Set.of("false", "f", "no", "n", "0");

  private Scalar() {}

  /**
   * @param number whether JSON has the value as a number
   * @return the value as Spark's Java API takes it; null where the type cannot hold it as it is
   */
  static Object read(DataType type, String sent, boolean number) {
    if (type instanceof StringType) {
      return sent;
    }
    String text = trimmed(sent);
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
      return truth(text);
    }
    if (type instanceof TimestampType) {
      return number ? null : timestamp(text);
    }
    if (type instanceof DateType) {
      return number ? null : date(text);
    }
    if (type instanceof DoubleType) {
      return real(text);
    }
    throw new IllegalArgumentException("no contract has the type " + type.simpleString());
  }

  /** Without JSON's white space at both ends. */
  private static String trimmed(String text) {
    int start = 0;
    int end = text.length();
    while (start < end && isSpace(text.charAt(start))) {
      start++;
    }
    while (end > start && isSpace(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(start, end);
  }

  private static boolean isSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  }

  private static BigDecimal decimal(String text, DecimalType type) {
    BigDecimal value = number(text);
    return value != null && fits(value, type.precision(), type.scale()) ? value.setScale(type.scale()) : null;
  }

  /** A JSON number may have a fraction of zeros; no whole number has an exponent. */
  private static Long whole(String text, boolean number) {
    if (text.indexOf('e') >= 0 || text.indexOf('E') >= 0 || (!number && text.indexOf('.') >= 0)) {
      return null;
    }
    BigDecimal value = number(text);
    if (value == null || !fits(value, MOST_DIGITS, 0)) {
      return null;
    }
    try {
      return value.longValueExact();
    } catch (ArithmeticException tooLarge) {
      return null;
    }
  }

  /** Without zeros at its end, so that the number of its digits is known before they are written out. */
  private static BigDecimal number(String text) {
    if (text.length() > LONGEST_NUMBER || !isNumber(text)) {
      return null;
    }
    try {
      return new BigDecimal(text).stripTrailingZeros();
    } catch (NumberFormatException exponentOutOfRange) {
      return null;
    }
  }

  /** Whether the text is [+-] digits [. digits] [e [+-] digits] in ASCII, with a digit before or after the point. */
  private static boolean isNumber(String text) {
    int at = !text.isEmpty() && (text.charAt(0) == '-' || text.charAt(0) == '+') ? 1 : 0;
    int whole = digits(text, at);
    at += whole;
    int fraction = 0;
    if (at < text.length() && text.charAt(at) == '.') {
      fraction = digits(text, at + 1);
      at += 1 + fraction;
    }
    if (whole + fraction == 0) {
      return false;
    }
    if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
      at++;
      if (at < text.length() && (text.charAt(at) == '-' || text.charAt(at) == '+')) {
        at++;
      }
      int exponent = digits(text, at);
      if (exponent == 0) {
        return false;
      }
      at += exponent;
    }
    return at == text.length();
  }

  /** The number of ASCII digits from a place on. */
  private static int digits(String text, int from) {
    int at = from;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    return at - from;
  }

  private static boolean fits(BigDecimal value, int precision, int scale) {
    long wholeDigits = (long) value.precision() - value.scale();
    return value.scale() <= scale && (wholeDigits <= precision - scale || value.signum() == 0);
  }

  private static Boolean truth(String text) {
    String word = text.toLowerCase(Locale.ROOT);
    return TRUE.contains(word) ? Boolean.TRUE : FALSE.contains(word) ? Boolean.FALSE : null;
  }

  private static Double real(String text) {
    if (text.equals("NaN") || text.equals("Infinity") || text.equals("-Infinity")) {
      return Double.parseDouble(text);
    }
    if (text.length() > LONGEST_NUMBER || !isNumber(text)) {
      return null;
    }
    double value = Double.parseDouble(text);
    return Double.isInfinite(value) ? null : (Double) value;
  }

  private static Instant timestamp(String text) {
    IsoTime time = IsoTime.parse(text);
    return time == null ? null : time.instant();
  }

  private static LocalDate date(String text) {
    IsoTime time = IsoTime.parse(text);
    return time == null ? null : time.date();
  }
}
