package headgate;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;

/**
 * A date, or a date with a time and an offset, read from ISO 8601 text.
 *
 * <p>Dates: `2026-03-01`, `20260301`, `2026-03` and `2026` (their first day). Times follow after `T`, `t` or a space:
 * `10`, `10:00`, `10:00:00`, `10:00:00.25` or with a comma, and `1000`, `100000` after a date without hyphens. Offsets:
 * `Z`, `z`, `UTC`, `+01`, `+0100`, `+01:00`, with an optional space before. Without an offset a time is in UTC. Zone
 * names are refused: a local time can be ambiguous or skipped. Digits beyond microseconds are cut off.
 */
final class IsoTime {
  private static final Instant FIRST = Instant.parse("0001-01-01T00:00:00Z");
  private static final Instant END = Instant.parse("+10000-01-01T00:00:00Z");
  private static final int MOST_OFFSET_MINUTES = 18 * 60;
  private static final int MICRO_DIGITS = 6;

  private final String text;
  private int at;

  private LocalDate date;
  /** Whether the date has no hyphens: then its time has no colons. */
  private boolean isBasic;
  private int seconds;
  private int micros;
  private int offsetMinutes;

  private IsoTime(String text) {
    this.text = text;
  }

  /** The parsed text; null where it is not in the grammar. */
  static IsoTime parse(String text) {
    IsoTime time = new IsoTime(text);
    try {
      return time.readDate() && time.readTime() && time.at == text.length() ? time : null;
    } catch (DateTimeException noSuchDay) {
      return null;
    }
  }

  /** The date as it was written, whatever the offset; null in the year 0. */
  LocalDate date() {
    return date.getYear() < 1 ? null : date;
  }

  /** The instant; null where it is outside of the years 1 to 9999 in UTC. */
  Instant instant() {
    long second = date.atStartOfDay().toEpochSecond(ZoneOffset.UTC) + seconds - offsetMinutes * 60L;
    Instant instant = Instant.ofEpochSecond(second, micros * 1000L);
    return instant.isBefore(FIRST) || !instant.isBefore(END) ? null : instant;
  }

  private boolean readDate() {
    int year = number(4);
    if (year < 0) {
      return false;
    }
    int month = 1;
    int day = 1;
    if (has('-')) {
      month = number(2);
      if (has('-')) {
        day = number(2);
      } else if (at != text.length()) {
        return false;
      }
    } else if (at != text.length()) {
      isBasic = true;
      month = number(2);
      day = number(2);
    }
    if (month < 1 || day < 1) {
      return false;
    }
    date = LocalDate.of(year, month, day);
    return true;
  }

  private boolean readTime() {
    if (at == text.length()) {
      return true;
    }
    if (!has('T') && !has('t') && !has(' ')) {
      return false;
    }
    int hour = number(2);
    int minute = 0;
    int second = 0;
    if (isBasic ? isDigit() : has(':')) {
      minute = number(2);
      if (isBasic ? isDigit() : has(':')) {
        second = number(2);
        if ((has('.') || has(',')) && !readFraction()) {
          return false;
        }
      }
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
      return false;
    }
    seconds = (hour * 60 + minute) * 60 + second;
    return readOffset();
  }

  private boolean readFraction() {
    int start = at;
    while (isDigit()) {
      int place = at - start;
      micros = place < MICRO_DIGITS ? micros * 10 + (text.charAt(at) - '0') : micros;
      at++;
    }
    for (int place = at - start; place < MICRO_DIGITS; place++) {
      micros *= 10;
    }
    return at > start;
  }

  private boolean readOffset() {
    if (at == text.length()) {
      return true;
    }
    has(' ');
    if (has('Z') || has('z')) {
      return true;
    }
    if (text.startsWith("UTC", at)) {
      at += 3;
      return true;
    }
    int sign = has('+') ? 1 : has('-') ? -1 : 0;
    int hours = sign == 0 ? -1 : number(2);
    int minutes = hours >= 0 && (has(':') || isDigit()) ? number(2) : 0;
    offsetMinutes = sign * (hours * 60 + minutes);
    return hours >= 0 && minutes >= 0 && minutes < 60 && Math.abs(offsetMinutes) <= MOST_OFFSET_MINUTES;
  }

  private boolean has(char c) {
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private boolean isDigit() {
    return at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9';
  }

  /** The next digits as a number; -1 where there are fewer. */
  private int number(int length) {
    int value = 0;
    for (int place = 0; place < length; place++) {
      if (!isDigit()) {
        return -1;
      }
      value = value * 10 + (text.charAt(at) - '0');
      at++;
    }
    return value;
  }
}
