//! What functions print and log (lambda-edge.md 10.2).

use crate::harness::{Code, REQUEST, is_without_python};

#[test]
fn print_is_raw_and_prompt() {
    if is_without_python() {
        return;
    }
    let source = "import sys\nprint('at the top')\ndef handler(event, context):\n    print('hé', 1)\n    print('no end', end='')\n    \
                  print('to stderr', file=sys.stderr)\n    context.log('logged')\n    print('\\ud800')\n";
    let mut environment = Code::python(source).ready();
    assert_eq!(environment.read_output(11), "at the top\n");
    environment.invoke("{}").unwrap();
    let expected = "hé 1\nno endlogged\\ud800\n";
    // It is there although the process lives on.
    assert_eq!(environment.read_output(expected.len()), expected);
    let ended = environment.end();
    assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("", "to stderr\n"));
}

#[test]
fn logging_has_lambdas_format() {
    if is_without_python() {
        return;
    }
    let source = "import logging\nlogger = logging.getLogger()\nlogger.setLevel(logging.INFO)\nlogger.warning('top')\n\
                  def handler(event, context):\n    logger.info('two\\nlines %d', 2)\n    logging.getLogger('x').debug('hidden')\n    \
                  try:\n        1 / 0\n    except ZeroDivisionError:\n        logger.exception('caught')\n";
    let mut environment = Code::python(source).ready();
    environment.invoke("{}").unwrap();
    let ended = environment.end();
    assert_eq!(ended.errors, "");
    let records: Vec<Vec<&str>> = ended.output.lines().map(|line| line.splitn(4, '\t').collect()).collect();
    assert_eq!(records.len(), 3, "{}", ended.output);
    for record in &records {
        assert!(record[1].len() == 24 && record[1].ends_with('Z') && record[1].contains('T'), "{record:?}");
    }
    assert_eq!((records[0][0], records[0][2], records[0][3]), ("[WARNING]", "", "top"));
    assert_eq!((records[1][0], records[1][2], records[1][3]), ("[INFO]", REQUEST, "two\rlines 2"));
    assert_eq!((records[2][0], records[2][2]), ("[ERROR]", REQUEST));
    assert!(records[2][3].starts_with("caught\rTraceback (most recent call last):\r"), "{:?}", records[2]);
}
