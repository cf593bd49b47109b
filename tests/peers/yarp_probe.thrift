struct Point {
  1: i32 x;
  2: double y;
}

/** The methods of the tests' YarpProbe that clients made by yarpidl_thrift call. */
service YarpProbe {
  i32 get_answer();
  void do_it(1: string what);
  oneway void fire();
  bool start(1: i32 a, 2: double b);
  list<double> vals();
  Point pt(1: Point p);
  map<string, i32> m();
  string echo(1: string text);
}
