// Where the policy says to pick and to place, as a task of MoveIt Task Constructor.
//
// Written against the published interface of MoveIt Task Constructor (branch ros2); neither
// compiled nor run by the authors. See README.md beside this file.

#include <chrono>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <Eigen/Geometry>
#include <eq_msgs/action/plan_pick_place.hpp>
#include <geometry_msgs/msg/pose_array.hpp>
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <geometry_msgs/msg/vector3_stamped.hpp>
#include <moveit/task_constructor/solvers.h>
#include <moveit/task_constructor/stages.h>
#include <moveit/task_constructor/task.h>
#include <moveit_msgs/msg/move_it_error_codes.hpp>
#include <rclcpp/rclcpp.hpp>
#include <rclcpp_action/rclcpp_action.hpp>

namespace mtc = moveit::task_constructor;
using PlanPickPlace = eq_msgs::action::PlanPickPlace;
using std::chrono_literals::operator""s;

constexpr char ARM[] = "panda_arm", HAND[] = "hand", HAND_FRAME[] = "panda_hand";
constexpr double FINGER_LENGTH = 0.1034;  // from the hand's frame to the tips [m]
constexpr double GRASP_DEPTH = 0.015;     // of the tips below the surface that was seen [m]
constexpr double APPROACH = 0.1;          // straight way before and after a grasp [m]

// Asks once; throws with the node's own words where there is nothing fit to be picked.
PlanPickPlace::Result ask(const rclcpp::Node::SharedPtr& node) {
  auto client =
      rclcpp_action::create_client<PlanPickPlace>(node, "/pick_place_policy/plan_pick_place");
  if (!client->wait_for_action_server(10s)) throw std::runtime_error("no policy in the graph");
  PlanPickPlace::Goal goal;
  goal.timeout = 5.0;
  auto handle = client->async_send_goal(goal).get();  // another thread spins the node
  if (!handle) throw std::runtime_error("the policy is not active");
  const auto result = *client->async_get_result(handle).get().result;
  // Never go on without this: an answer with a code has no poses.
  if (result.error_code != PlanPickPlace::Result::NONE) throw std::runtime_error(result.error_msg);
  return result;
}

// The frame that is brought to a pose of the policy: at the tips, its z against the hand's.
Eigen::Isometry3d toolInHand() {
  Eigen::Isometry3d tool = Eigen::Isometry3d::Identity();
  tool.translate(Eigen::Vector3d(0, 0, FINGER_LENGTH - GRASP_DEPTH));
  tool.rotate(Eigen::AngleAxisd(M_PI, Eigen::Vector3d::UnitX()));
  return tool;
}

// All ways of the arm to bring the tool to one of some poses.
std::unique_ptr<mtc::Stage> reach(const std::string& name, mtc::Stage* before,
                                  const geometry_msgs::msg::PoseArray& poses, size_t count) {
  auto generator = std::make_unique<mtc::stages::FixedCartesianPoses>(name);
  for (size_t i = 0; i < poses.poses.size() && i < count; ++i) {
    geometry_msgs::msg::PoseStamped pose;
    pose.header.frame_id = poses.header.frame_id;
    pose.pose = poses.poses[i];
    generator->addPose(pose);
  }
  generator->setMonitoredStage(before);  // the planning scene comes from there
  auto ik = std::make_unique<mtc::stages::ComputeIK>(name + " IK", std::move(generator));
  ik->setMaxIKSolutions(8);
  ik->setMinSolutionDistance(1.0);
  ik->setIKFrame(toolInHand(), HAND_FRAME);
  ik->properties().configureInitFrom(mtc::Stage::PARENT, {"eef", "group"});
  ik->properties().configureInitFrom(mtc::Stage::INTERFACE, {"target_pose"});
  return ik;
}

// A straight motion along z of some frame.
std::unique_ptr<mtc::Stage> straight(const std::string& name, const std::string& frame, double sign,
                                     const mtc::solvers::PlannerInterfacePtr& planner) {
  auto stage = std::make_unique<mtc::stages::MoveRelative>(name, planner);
  stage->properties().configureInitFrom(mtc::Stage::PARENT, {"group"});
  stage->setMinMaxDistance(APPROACH / 2, APPROACH);
  stage->setIKFrame(HAND_FRAME);
  geometry_msgs::msg::Vector3Stamped direction;
  direction.header.frame_id = frame;
  direction.vector.z = sign;
  stage->setDirection(direction);
  return stage;
}

// Opens or closes the hand.
std::unique_ptr<mtc::stages::MoveTo> hand(const std::string& pose,
                                          const mtc::solvers::PlannerInterfacePtr& planner) {
  auto stage = std::make_unique<mtc::stages::MoveTo>(pose + " hand", planner);
  stage->setGroup(HAND);
  stage->setGoal(pose);  // named in the SRDF
  return stage;
}

// Brings the arm from what was before to what comes next.
std::unique_ptr<mtc::Stage> carry(const std::string& name,
                                  const mtc::solvers::PlannerInterfacePtr& planner) {
  auto stage = std::make_unique<mtc::stages::Connect>(
      name, mtc::stages::Connect::GroupPlannerVector{{ARM, planner}});
  stage->setTimeout(5.0);
  stage->properties().configureInitFrom(mtc::Stage::PARENT);
  return stage;
}

// A container that knows group, end effector and frame of the task.
std::unique_ptr<mtc::SerialContainer> part(mtc::Task& task, const std::string& name) {
  auto container = std::make_unique<mtc::SerialContainer>(name);
  task.properties().exposeTo(container->properties(), {"eef", "group", "ik_frame"});
  container->properties().configureInitFrom(mtc::Stage::PARENT, {"eef", "group", "ik_frame"});
  return container;
}

mtc::Task makeTask(const rclcpp::Node::SharedPtr& node, const PlanPickPlace::Result& answer) {
  mtc::Task task;
  task.stages()->setName("pick and place");
  task.loadRobotModel(node);
  task.setProperty("group", ARM);
  task.setProperty("eef", HAND);
  task.setProperty("ik_frame", HAND_FRAME);
  auto sampling = std::make_shared<mtc::solvers::PipelinePlanner>(node);
  auto joints = std::make_shared<mtc::solvers::JointInterpolationPlanner>();
  auto cartesian = std::make_shared<mtc::solvers::CartesianPath>();
  cartesian->setStepSize(.005);

  auto current = std::make_unique<mtc::stages::CurrentState>("current");
  mtc::Stage* now = current.get();
  task.add(std::move(current));
  task.add(hand("open", joints));
  task.add(carry("move to pick", sampling));

  const std::string& table = answer.pick.header.frame_id;  // its z points up
  auto pick = part(task, "pick");
  pick->insert(straight("approach", HAND_FRAME, 1.0, cartesian));
  pick->insert(reach("pick pose", now, answer.picks, 1));  // places are for the best pick alone
  // If the object or an octomap is in your planning scene: here ModifyPlanningScene allows the
  // hand to touch it (allowCollisions) and takes it along (attachObject).
  auto closed = hand("close", joints);
  mtc::Stage* held = closed.get();
  pick->insert(std::move(closed));
  pick->insert(straight("lift", table, 1.0, cartesian));
  task.add(std::move(pick));
  task.add(carry("move to place", sampling));

  auto place = part(task, "place");
  place->insert(straight("lower", table, -1.0, cartesian));
  place->insert(reach("place pose", held, answer.places, 1));  // more, if others will do as well
  place->insert(hand("open", joints));
  place->insert(straight("retreat", HAND_FRAME, -1.0, cartesian));
  task.add(std::move(place));
  return task;
}

int main(int argc, char** argv) {
  rclcpp::init(argc, argv);
  rclcpp::NodeOptions options;
  options.automatically_declare_parameters_from_overrides(true);
  auto node = std::make_shared<rclcpp::Node>("mtc_pick_place", options);
  rclcpp::executors::MultiThreadedExecutor executor;
  executor.add_node(node);
  std::thread spinning([&executor] { executor.spin(); });
  int code = 1;
  try {
    mtc::Task task = makeTask(node, ask(node));
    task.init();
    if (!task.plan(5)) throw std::runtime_error("no motion for this pick and place");
    task.introspection().publishSolution(*task.solutions().front());  // seen in RViz
    const auto done = task.execute(*task.solutions().front());
    code = done.val == moveit_msgs::msg::MoveItErrorCodes::SUCCESS ? 0 : 1;
  } catch (const mtc::InitStageException& error) {
    RCLCPP_ERROR_STREAM(node->get_logger(), error);
  } catch (const std::exception& error) {
    RCLCPP_ERROR(node->get_logger(), "%s", error.what());
  }
  executor.cancel();
  spinning.join();
  rclcpp::shutdown();
  return code;
}
